# confluent-kafka (librdkafka), driven by lines: each line of standard input names a scenario below,
# each line of standard output is its result as JSON. A failure is a result, too. Every scenario
# closes everything that it has opened.

import json
import sys
import time
from contextlib import ExitStack, closing

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

address = sys.argv[1]
common = {"bootstrap.servers": address, "client.id": "interop"}
deadline_seconds = 30

admin = AdminClient(common)


def create(topic, partitions=1):
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(deadline_seconds)


def produce(topic, values, **settings):
    producer = Producer({**common, **settings})
    errors = []
    for value in values:
        producer.produce(topic, key=value, value=value, on_delivery=lambda e, _: e and errors.append(e))
    producer.flush(deadline_seconds)
    if errors:
        raise KafkaException(errors[0])


def consumer(group, **settings):
    return closing(
        Consumer(
            {
                **common,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "topic.metadata.refresh.interval.ms": 500,
                **settings,
            }
        )
    )


def poll_until(members, is_enough):
    """Polls each member in turn until `is_enough` of the received messages, or the time is up."""
    seen = []
    end = time.monotonic() + deadline_seconds
    while not is_enough(seen) and time.monotonic() < end:
        for member in members:
            message = member.poll(0.05)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            seen.append(message)
    return seen


def values(messages):
    return sorted(message.value().decode() for message in messages)


def list_topics():
    create("listed", 3)
    everything = admin.list_topics(timeout=deadline_seconds)
    one = admin.list_topics("listed", timeout=deadline_seconds)
    return {
        "brokers": list(everything.brokers),
        "listed": "listed" in everything.topics,
        "partitions": sorted(one.topics["listed"].partitions),
    }


def regex_subscription():
    return by_pattern("regex-classic", "session.timeout.ms", 6000)


def by_pattern(group, key, value):
    """Subscribes before the topic is created, which must be found."""
    for name in ("first", "other"):
        create(f"{group}.{name}")
        produce(f"{group}.{name}", [name])
    with consumer(group, **{key: value}) as member:
        member.subscribe([f"^{group}\\.(first|late)$"])
        first = poll_until([member], lambda seen: len(seen) >= 1)
        member.commit(asynchronous=False)
        create(f"{group}.late")
        produce(f"{group}.late", ["late"])
        late = poll_until([member], lambda seen: len(seen) >= 1)
    return {"first": values(first), "late": values(late)}


def transactions():
    create("transactions-in")
    create("transactions-out")
    produce("transactions-in", ["a", "b"], **{"enable.idempotence": True})
    producer = Producer({**common, "transactional.id": "confluent-transactions"})
    producer.init_transactions(deadline_seconds)
    producer.begin_transaction()
    producer.produce("transactions-out", value="aborted")
    producer.flush(deadline_seconds)
    producer.abort_transaction(deadline_seconds)
    with consumer("transactions", **{"isolation.level": "read_committed"}) as reader:
        reader.subscribe(["transactions-in"])
        read = poll_until([reader], lambda seen: len(seen) >= 2)
        producer.begin_transaction()
        for message in read:
            producer.produce("transactions-out", value=message.value().upper())
        producer.send_offsets_to_transaction(
            reader.position(reader.assignment()),
            reader.consumer_group_metadata(),
            deadline_seconds,
        )
        producer.commit_transaction(deadline_seconds)
        committed = reader.committed([TopicPartition("transactions-in", 0)], deadline_seconds)
    with consumer("transactions-check", **{"isolation.level": "read_committed"}) as reader:
        reader.subscribe(["transactions-out"])
        out = poll_until([reader], lambda seen: len(seen) >= 2)
    # A second producer with the same id fences the first.
    second = Producer({**common, "transactional.id": "confluent-transactions"})
    second.init_transactions(deadline_seconds)
    try:
        producer.begin_transaction()
        producer.produce("transactions-out", value="fenced")
        producer.commit_transaction(deadline_seconds)
        fenced = None
    except KafkaException as error:
        fenced = error.args[0].name()
    return {"out": values(out), "committed": committed[0].offset, "fenced": fenced}


def consumer_protocol():
    """Two members of a group of KIP-848 share four partitions; one leaves, and the other gets all."""
    create("next-generation", 4)
    with ExitStack() as stack:
        join = lambda: stack.enter_context(
            consumer("next-generation", **{"group.protocol": "consumer"})
        )
        members = [join(), join()]
        for member in members:
            member.subscribe(["next-generation"])
        poll_until(members, lambda _: [len(each.assignment()) for each in members] == [2, 2])
        shares = [len(member.assignment()) for member in members]
        sent = [f"value {number}" for number in range(100)]
        produce("next-generation", sent)
        seen = poll_until(members, lambda messages: len(messages) >= len(sent))
        for member in members:
            member.commit(asynchronous=False)
        members[1].close()
        poll_until(members[:1], lambda _: len(members[0].assignment()) == 4)
        described = admin.describe_consumer_groups(["next-generation"])
        group = described["next-generation"].result(deadline_seconds)
        return {
            "shares": shares,
            "seen": values(seen) == sorted(sent),
            "after": len(members[0].assignment()),
            "type": group.type.name,
            "members": len(group.members),
        }


def consumer_protocol_pattern():
    return by_pattern("regex-consumer", "group.protocol", "consumer")


def configs():
    resource = ConfigResource(ResourceType.BROKER, "1")
    described = admin.describe_configs([resource])[resource].result(deadline_seconds)
    return {"log.cleaner.backoff.ms": described["log.cleaner.backoff.ms"].value}


scenarios = {
    scenario.__name__: scenario
    for scenario in (
        list_topics,
        regex_subscription,
        transactions,
        consumer_protocol,
        consumer_protocol_pattern,
        configs,
    )
}

for line in sys.stdin:
    try:
        result = scenarios[line.strip()]()
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result), flush=True)
