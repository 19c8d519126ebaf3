"""One topic of signal readings to a lake: notspot ingest beside what one would take otherwise.

Usage: compare.py NOTSPOT JSON_BROKERS AVRO_BROKERS

Brokers are HOST:PORT of two test brokers (deploy/broker/start) filled by `notspot simulate country`,
one in JSON and one in Avro; only terminal.signal is read, the other topics are to be empty or missing. Every
program reads all there is, one after the other on the same cores, and is measured by its own
processor time, user and system; the broker's is not in it. The bare consumer takes messages in batches
of 10,000 with librdkafka and does nothing with them.
"""

import json
import os
import pathlib
import sys
import tempfile
import time
import uuid

TOPIC = "terminal.signal"
BATCH = 50_000


def consume(brokers, batch):
    """Yields lists of payloads until the ends that the partitions had at the start."""
    import confluent_kafka as kafka

    consumer = kafka.Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": str(uuid.uuid4()),
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 32768,
        }
    )
    partitions = consumer.list_topics(TOPIC).topics[TOPIC].partitions
    partitions = [kafka.TopicPartition(TOPIC, partition, kafka.OFFSET_BEGINNING) for partition in partitions]
    left = sum(high - low for low, high in map(consumer.get_watermark_offsets, partitions))
    consumer.assign(partitions)
    while left > 0:
        messages = consumer.consume(min(batch, left), timeout=10)
        left -= len(messages)
        yield [message.value() for message in messages]
    consumer.close()


def bare(brokers, _):
    return sum(map(len, consume(brokers, 10_000)))


def python(brokers, folder):
    """What one writes in an afternoon: json, a table, an append to a Delta table by day."""
    import pyarrow
    from deltalake import write_deltalake

    rows = 0
    for payloads in consume(brokers, BATCH):
        events = [json.loads(payload) for payload in payloads]
        for event in events:
            event["event_date"] = event["event_time"][:10]
        write_deltalake(
            f"{folder}/lake",
            pyarrow.Table.from_pylist(events),
            mode="append",
            schema_mode="merge",
            partition_by=["event_date"],
        )
        rows += len(events)
    return rows


def mq_bridge(brokers, folder):
    """Its Rust core: JSON to Parquet files, without a table, a partition or a check."""
    import mq_bridge
    import pyarrow.parquet

    route = mq_bridge.Route.from_config(
        {
            "input": {
                "kafka": {
                    "url": brokers,
                    "topic": TOPIC,
                    "group_id": str(uuid.uuid4()),
                    "consumer_options": [["auto.offset.reset", "earliest"]],
                }
            },
            "output": {"object_store": {"url": f"file://{folder}/files", "format": "parquet", "fsync": "off"}},
            "batch_size": BATCH,
            "exit_on_empty": True,
            "empty_batch_delay_ms": 5000,
        },
        name="signals",
    )
    route.start()
    route.join()
    files = pathlib.Path(folder, "files").rglob("*.parquet")
    return sum(pyarrow.parquet.read_metadata(file).num_rows for file in files)


def notspot(program, encoding):
    def run(brokers, folder):
        settings = pathlib.Path(folder, "notspot.toml")
        topics = "".join(
            f'[topics.{name}]\nname = "terminal.{name}"\nencoding = "{encoding}"\n'
            for name in ("heartbeat", "signal", "decline")
        )
        settings.write_text(
            f'lake = "{folder}/lake"\nuntil_end = true\n[kafka]\nbrokers = "{brokers}"\n{topics}[http]\nenabled = false\n'
        )
        os.execv(program, [program, "ingest", "--config", str(settings), "--log", "error"])

    return run


def measured(engine, brokers):
    """Runs an engine as a process of its own; returns rows, processor seconds, seconds and peak MiB."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        began = time.time()
        child = os.fork()
        if child == 0:
            with out.open("w") as file:
                os.dup2(file.fileno(), 1)
            try:
                print(engine(brokers, folder), flush=True)
                os._exit(0)
            except BaseException as error:  # the parent says what became of it
                print(f"failed: {error}", flush=True)
                os._exit(1)
        _, status, usage = os.wait4(child, 0)
        text = out.read_text().strip()
        if status != 0:
            raise RuntimeError(text[-300:] or f"exit status {status}")
        committed = [line for line in text.splitlines() if "rows committed" in line] or text.splitlines()
        rows = int(committed[-1].split()[0].replace(",", ""))
        return rows, usage.ru_utime + usage.ru_stime, time.time() - began, usage.ru_maxrss / 1024


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    program, in_json, in_avro = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
    engines = [
        ("bare consumer, JSON", bare, in_json),
        ("bare consumer, Avro", bare, in_avro),
        ("notspot ingest, JSON", notspot(program, "json"), in_json),
        ("notspot ingest, Avro", notspot(program, "avro"), in_avro),
        ("confluent-kafka + deltalake, JSON", python, in_json),
        ("mq-bridge to Parquet files, JSON", mq_bridge, in_json),
    ]
    pace = {}
    print(f"{'':36}{'rows':>12}{'CPU s':>8}{'s':>8}{'peak MiB':>10}{'rows/CPU s':>12}{'notspot JSON is':>17}")
    for name, engine, brokers in engines:
        try:
            rows, cpu_s, took_s, peak_mib = measured(engine, brokers)
        except RuntimeError as error:
            print(f"{name:36}failed: {error}", flush=True)
            continue
        pace[name] = rows / cpu_s
        ours = pace.get("notspot ingest, JSON")
        ratio = f"{ours / pace[name]:.1f} x" if ours else ""
        print(f"{name:36}{rows:12,}{cpu_s:8.1f}{took_s:8.1f}{peak_mib:10.0f}{pace[name]:12,.0f}{ratio:>17}", flush=True)


main()
