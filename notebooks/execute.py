"""Executes notebooks over the lake in NOTSPOT_LAKE; the files themselves stay as they are.

A cell that fails ends the run, and so does a notebook that was saved with its outputs.
"""

import pathlib
import sys

import nbclient
import nbformat


def kept_outputs(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell.id for cell in cells if cell.outputs or cell.execution_count is not None]


def show(notebook):
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            print("   ", text.rstrip().replace("\n", "\n    "))


def execute(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    if kept := kept_outputs(notebook):
        sys.exit(f"{path}: strip the outputs of cells {', '.join(kept)} before committing")
    try:
        nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    except nbclient.exceptions.CellExecutionError as error:
        sys.exit(f"{path}: {error}")
    show(notebook)


def main():
    paths = [pathlib.Path(argument) for argument in sys.argv[1:]]
    for path in paths:
        print(f"executing {path.name}", flush=True)
        execute(path)
    print(f"{len(paths)} notebooks executed without an error")


main()
