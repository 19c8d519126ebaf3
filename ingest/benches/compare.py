"""One topic of signal readings to a lake: notspot ingest beside what one would take otherwise.

Usage: compare.py NOTSPOT JSON_BROKERS AVRO_BROKERS [--lean]

Brokers are HOST:PORT of two test brokers (deploy/broker/start) filled by `notspot simulate country`,
one in JSON and one in Avro; only terminal.signal is read. With --lean it is first copied, and the copy is
read, whose events have 20 of the 37 fields. Every program reads all there is, one after the other on the
same cores, and is measured by its own processor time, user and system; the broker's is not in it, nor what
readies a program. The bare consumer takes messages in batches of 10,000 with librdkafka and does nothing
with them. mq-bridge 1.2.0 is built without zstd: it gets a copy of the topic in lz4. Spark needs Java 17 or
newer; its connectors are fetched by their Maven coordinates.
"""

import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import time
import uuid

WHOLE_TOPIC = "terminal.signal"
LEAN_TOPIC = "terminal.signal.lean"
TOPIC = LEAN_TOPIC if "--lean" in sys.argv else WHOLE_TOPIC
LZ4_TOPIC = f"{TOPIC}.lz4"
LEAN_FIELDS = (
    "event_id terminal_id event_time sent_time seq model firmware lat lon datum"
    " rat serving_plmn tac radio_cell_id pci arfcn rssi_dbm rsrp_dbm rsrq_db sinr_db"
).split()
EMPTY_TOPICS = {"heartbeat": "none.heartbeat", "decline": "none.decline"}
BATCH = 50_000
CONTRACTS = pathlib.Path(__file__).parents[2] / "schemas/contracts"
AVRO_FRAME_BYTES = 5
SPARK_PACKAGES = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0,io.delta:delta-spark_2.13:4.4.0"
SPARK_TYPES = {"string": "string", "integer": "bigint", "number": "double"}
SPARK_FOLDER = pathlib.Path.home() / ".cache/notspot/spark-4.2.0-delta-4.4.0"


def consume(brokers, batch, topic=TOPIC):
    """Yields lists of messages until the ends that the partitions had at the start."""
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
    partitions = consumer.list_topics(topic).topics[topic].partitions
    partitions = [kafka.TopicPartition(topic, partition, kafka.OFFSET_BEGINNING) for partition in partitions]
    left = sum(high - low for low, high in map(consumer.get_watermark_offsets, partitions))
    consumer.assign(partitions)
    while left > 0:
        messages = consumer.consume(min(batch, left), timeout=10)
        left -= len(messages)
        yield messages
    consumer.close()


def bare(brokers, _):
    return sum(map(len, consume(brokers, 10_000)))


def python(brokers, folder):
    """What one writes in an afternoon: json, a table, an append to a Delta table by day."""
    import pyarrow
    from deltalake import write_deltalake

    rows = 0
    for messages in consume(brokers, BATCH):
        events = [json.loads(message.value()) for message in messages]
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


def copy(source, target, compression, change=lambda payload: payload):
    def run(brokers, _):
        from confluent_kafka import Producer
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": brokers})
        partitions = len(admin.list_topics().topics[source].partitions)
        admin.create_topics([NewTopic(target, partitions, 1)])[target].result()
        producer = Producer({"bootstrap.servers": brokers, "compression.type": compression, "linger.ms": 100})
        rows = 0
        for messages in consume(brokers, BATCH, source):
            for message in messages:
                producer.produce(target, change(message.value()), message.key(), message.partition())
                producer.poll(0)
            producer.flush()
            rows += len(messages)
        return rows

    return run


def lean_json(payload):
    event = json.loads(payload)
    return json.dumps({field: event[field] for field in LEAN_FIELDS if field in event}, separators=(",", ":"))


def lean_avro():
    import fastavro

    schema = fastavro.parse_schema(json.loads((CONTRACTS / "signal.avsc").read_text()))

    def lean(payload):
        event = fastavro.schemaless_reader(io.BytesIO(payload[AVRO_FRAME_BYTES:]), schema, None)
        out = io.BytesIO(payload[:AVRO_FRAME_BYTES])
        out.seek(AVRO_FRAME_BYTES)
        fastavro.schemaless_writer(out, schema, {field: event[field] for field in LEAN_FIELDS})
        return out.getvalue()

    return lean


def remove(topic):
    def run(brokers, _):
        from confluent_kafka.admin import AdminClient

        admin = AdminClient({"bootstrap.servers": brokers})
        admin.delete_topics([topic])[topic].result()
        return 0

    return run


def mq_bridge(brokers, folder):
    """Its Rust core: JSON to Parquet files, without a table, a partition or a check."""
    import mq_bridge
    import pyarrow.parquet

    route = mq_bridge.Route.from_config(
        {
            "input": {
                "kafka": {
                    "url": brokers,
                    "topic": LZ4_TOPIC,
                    "group_id": str(uuid.uuid4()),
                    "consumer_options": [["auto.offset.reset", "earliest"]],
                }
            },
            "output": {"object_store": {"url": f"file://{folder}/files", "format": "parquet", "fsync": "off"}},
            "batch_size": 10_000,
            "exit_on_empty": True,
            "empty_batch_delay_ms": 5000,
        },
        name="signals",
    )
    route.start()
    route.join()
    files = pathlib.Path(folder, "files").rglob("*.parquet")
    return sum(pyarrow.parquet.read_metadata(file).num_rows for file in files)


@contextlib.contextmanager
def spark_session(settings):
    """Waits for the end of its Java process: only then is that one's processor time in ours."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    java = session.sparkContext._gateway.proc
    try:
        yield session
    finally:
        session.stop()
        java.stdin.close()
        java.wait()


def fetch_spark_jars(*_):
    with spark_session({"spark.jars.packages": SPARK_PACKAGES, "spark.jars.ivy": str(SPARK_FOLDER)}):
        return 0


def spark_type(schema):
    """The Spark type of a JSON Schema, in DDL."""
    if "items" in schema:
        return f"array<{spark_type(schema['items'])}>"
    if "properties" in schema:
        return f"struct<{', '.join(f'{name}: {spark_type(of)}' for name, of in schema['properties'].items())}>"
    if schema.get("format") == "date-time":
        return "timestamp"
    return next(ddl for kind, ddl in SPARK_TYPES.items() if kind in schema["type"])


def spark(brokers, folder):
    """Structured Streaming: all there is as one batch, appended to a Delta table by day."""
    from pyspark.sql import functions

    settings = {
        "spark.driver.memory": "4g",
        "spark.ui.enabled": "false",
        # The defaults, 200 and 50, are for clusters.
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.jars": ",".join(map(str, SPARK_FOLDER.glob("jars/*.jar"))),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    }
    source = {"kafka.bootstrap.servers": brokers, "subscribe": TOPIC, "startingOffsets": "earliest"}
    event_type = spark_type(json.loads((CONTRACTS / "signal.schema.json").read_text()))
    with spark_session(settings) as session:
        messages = session.readStream.format("kafka").options(**source).load()
        events = messages.select(functions.from_json(messages.value.cast("string"), event_type).alias("event"))
        events = events.select("event.*", functions.to_date("event.event_time").alias("event_date"))
        lake = events.writeStream.format("delta").partitionBy("event_date").trigger(availableNow=True)
        lake.option("checkpointLocation", f"{folder}/checkpoint").start(f"{folder}/lake").awaitTermination()
        return session.read.format("delta").load(f"{folder}/lake").count()


def create_empty(brokers, _):
    """The topics that notspot ingest expects beside the one that is read."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": brokers})
    for topic in EMPTY_TOPICS.values() - admin.list_topics().topics.keys():
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    return 0


def notspot(program, encoding):
    def run(brokers, folder):
        settings = pathlib.Path(folder, "notspot.toml")
        topics = "".join(
            f'[topics.{kind}]\nname = "{topic}"\nencoding = "{encoding}"\n'
            for kind, topic in {"signal": TOPIC, **EMPTY_TOPICS}.items()
        )
        settings.write_text(
            f'lake = "{folder}/lake"\nuntil_end = true\n[kafka]\nbrokers = "{brokers}"\n{topics}[http]\nenabled = false\n'
        )
        os.execv(program, [program, "ingest", "--config", str(settings), "--log", "error"])

    return run


def measured(engine, brokers, folder):
    """Runs an engine as a process of its own; returns rows, processor seconds, seconds and peak MiB."""
    out = pathlib.Path(folder, "out")
    began = time.time()
    child = os.fork()
    if child == 0:
        with out.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        try:
            print(engine(brokers, folder), flush=True)
            os._exit(0)
        except BaseException as error:  # the parent says what became of it
            print(f"{type(error).__name__}: {error}".splitlines()[0], flush=True)
            os._exit(1)
    _, status, usage = os.wait4(child, 0)
    text = out.read_text().strip()
    if status != 0:
        raise RuntimeError(text.splitlines()[-1][:300] if text else f"exit status {status}")
    committed = [line for line in text.splitlines() if "rows committed" in line] or text.splitlines()
    rows = int(committed[-1].split()[0].replace(",", ""))
    return rows, usage.ru_utime + usage.ru_stime, time.time() - began, usage.ru_maxrss / 1024


def engines(program, in_json, in_avro):
    """Names, what is run, and where; a name in brackets readies the next one or clears up."""
    if TOPIC == LEAN_TOPIC:
        yield "(lean copy, JSON)", copy(WHOLE_TOPIC, LEAN_TOPIC, "zstd", lean_json), in_json
        yield "(lean copy, Avro)", copy(WHOLE_TOPIC, LEAN_TOPIC, "zstd", lean_avro()), in_avro
    yield "bare consumer, JSON", bare, in_json
    yield "bare consumer, Avro", bare, in_avro
    yield "(empty topics, JSON)", create_empty, in_json
    yield "notspot ingest, JSON", notspot(program, "json"), in_json
    yield "(empty topics, Avro)", create_empty, in_avro
    yield "notspot ingest, Avro", notspot(program, "avro"), in_avro
    yield "confluent-kafka + deltalake, JSON", python, in_json
    yield "(copy for mq-bridge)", copy(TOPIC, LZ4_TOPIC, "lz4"), in_json
    yield "mq-bridge to Parquet files, JSON", mq_bridge, in_json
    yield "(end of the copy)", remove(LZ4_TOPIC), in_json
    yield "(jars for Spark)", fetch_spark_jars, in_json
    yield "Spark Streaming + Delta, JSON", spark, in_json
    if TOPIC == LEAN_TOPIC:
        yield "(end of the lean copy, JSON)", remove(LEAN_TOPIC), in_json
        yield "(end of the lean copy, Avro)", remove(LEAN_TOPIC), in_avro


def main():
    given = [argument for argument in sys.argv[1:] if argument != "--lean"]
    if len(given) != 3:
        sys.exit(__doc__)
    program, in_json, in_avro = os.path.abspath(given[0]), given[1], given[2]
    pace = {}
    print(f"{'':36}{'rows':>12}{'CPU s':>8}{'s':>8}{'peak MiB':>10}{'rows/CPU s':>12}{'notspot JSON is':>17}")
    # Removed at the end: making files soon after many were deleted takes ext4 longer.
    with tempfile.TemporaryDirectory() as folders:
        for name, engine, brokers in engines(program, in_json, in_avro):
            try:
                rows, cpu_s, took_s, peak_mib = measured(engine, brokers, tempfile.mkdtemp(dir=folders))
            except RuntimeError as error:
                print(f"{name:36}failed: {error}", flush=True)
                continue
            if name.startswith("("):
                continue
            pace[name] = rows / cpu_s
            ours = pace.get("notspot ingest, JSON")
            ratio = f"{ours / pace[name]:.1f} x" if ours else ""
            print(f"{name:36}{rows:12,}{cpu_s:8.1f}{took_s:8.1f}{peak_mib:10.0f}{pace[name]:12,.0f}{ratio:>17}", flush=True)


main()
