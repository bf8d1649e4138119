# kafka-python, driven by lines of JSON: each line of standard input is one command, each line of
# standard output its result. A refusal is a result, too: the name of the error.

import json
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.structs import OffsetAndMetadata

ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "sticky": StickyPartitionAssignor,
}

address = sys.argv[1]
consumer = None


def text(value):
    return None if value is None else value.decode()


def data(value):
    return None if value is None else value.encode()


def admin():
    return KafkaAdminClient(bootstrap_servers=address, client_id="differential")


def with_admin(act):
    client = admin()
    try:
        return act(client)
    finally:
        client.close()


def produce(command):
    producer = KafkaProducer(
        bootstrap_servers=address, client_id="differential", **command.get("options", {})
    )
    results = []
    try:
        for record in command["records"]:
            headers = [(key, data(value)) for key, value in record.get("headers", [])]
            future = producer.send(
                command["topic"],
                key=data(record.get("key")),
                value=data(record.get("value")),
                headers=headers,
                partition=record.get("partition", 0),
                timestamp_ms=record.get("timestamp"),
            )
            try:
                told = future.get(timeout=20)
                results.append({"partition": told.partition, "offset": told.offset, "timestamp": told.timestamp})
            except Exception as error:
                results.append({"error": type(error).__name__})
    finally:
        producer.close()
    return results


def consume(command):
    """Opens the consumer, which is assigned the given partitions or, without any, joins its group."""
    global consumer
    if consumer is not None:
        consumer.close(autocommit=False)
    options = dict(command.get("options", {}))
    if "assignor" in command:
        options["partition_assignment_strategy"] = [ASSIGNORS[command["assignor"]]]
    consumer = KafkaConsumer(
        bootstrap_servers=address,
        client_id="differential",
        group_id=command.get("group"),
        auto_offset_reset=command.get("reset", "earliest"),
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
        heartbeat_interval_ms=100,
        session_timeout_ms=10000,
        **options,
    )
    if "partitions" in command:
        consumer.assign(partitions(command))
    else:
        consumer.subscribe([command["topic"]])


def partitions(command):
    return [TopicPartition(command["topic"], index) for index in command["partitions"]]


def poll(command):
    """Polls once. Returns the partitions of the consumer and the records that it has read."""
    try:
        batches = consumer.poll(timeout_ms=100)
    except Exception as error:
        return {"error": type(error).__name__, "held": [], "records": []}
    records = [shown(record) for batch in batches.values() for record in batch]
    return {"held": sorted(place.partition for place in consumer.assignment()), "records": records}


def shown(record):
    return {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "timestamp_type": record.timestamp_type,
        "key": text(record.key),
        "value": text(record.value),
        "headers": [[key, text(value)] for key, value in record.headers],
    }


def seek(command):
    consumer.seek(TopicPartition(command["topic"], 0), command["offset"])


def commit(command):
    place = TopicPartition(command["topic"], command.get("partition", 0))
    consumer.commit({place: OffsetAndMetadata(command["offset"], command.get("metadata", ""))})


def committed(command):
    place = TopicPartition(command["topic"], command.get("partition", 0))
    return consumer.committed(place)


def close(command):
    global consumer
    consumer.close(autocommit=False)
    consumer = None


def offsets(command):
    consumer = KafkaConsumer(bootstrap_servers=address)
    try:
        places = partitions(command)
        times = consumer.offsets_for_times({place: command["time"] for place in places})
        plain = lambda found: {str(place.partition): value for place, value in found.items()}
        return {
            "beginning": plain(consumer.beginning_offsets(places)),
            "end": plain(consumer.end_offsets(places)),
            "times": plain({place: found and [found.offset, found.timestamp] for place, found in times.items()}),
        }
    finally:
        consumer.close()


def create(command):
    topic = NewTopic(
        command["topic"],
        command.get("count", 1),
        command.get("replicas", 1),
        topic_configs=command.get("configs", {}),
    )
    told = with_admin(lambda client: client.create_topics([topic], validate_only=command.get("validate", False)))
    return [error for _, error, _ in told.topic_errors]


def grow(command):
    wanted = {command["topic"]: NewPartitions(command["count"])}
    with_admin(lambda client: client.create_partitions(wanted))


def delete(command):
    with_admin(lambda client: client.delete_topics([command["topic"]]))


def describe(command):
    return with_admin(lambda client: client.describe_topics([command["topic"]]))


def configs(command):
    def act(client):
        resource = ConfigResource(ConfigResourceType.TOPIC, command["topic"], command.get("set"))
        if "set" in command:
            client.alter_configs([resource])
        wanted = ConfigResource(ConfigResourceType.TOPIC, command["topic"])
        [answer] = client.describe_configs([wanted])
        entries = answer.resources[0][4]
        return {entry[0]: entry[1] for entry in entries if entry[0] in command["names"]}

    return with_admin(act)


def group(command):
    def act(client):
        [described] = client.describe_consumer_groups([command["group"]])
        found = client.list_consumer_group_offsets(command["group"])
        return {
            "state": described.state,
            "protocol": described.protocol,
            "members": len(described.members),
            "offsets": sorted([place.partition, value.offset, value.metadata] for place, value in found.items()),
        }

    return with_admin(act)


def delete_group(command):
    return with_admin(
        lambda client: [error.__name__ for _, error in client.delete_consumer_groups([command["group"]])]
    )


COMMANDS = [produce, consume, poll, seek, commit, committed, close, offsets, create, grow, delete]
COMMANDS += [describe, configs, group, delete_group]
BY_NAME = {command.__name__: command for command in COMMANDS}

for line in sys.stdin:
    request = json.loads(line)
    try:
        result = BY_NAME[request["do"]](request)
    except Exception as error:
        result = {"error": type(error).__name__}
    print(json.dumps(result), flush=True)
