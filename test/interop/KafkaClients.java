// The clients of Apache Kafka, driven by lines: each line of standard input names a scenario below,
// each line of standard output is its result as JSON. A failure is a result, too. Every scenario
// closes everything that it has opened.

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListConfigResourcesOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public final class KafkaClients {
    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static String address;
    private static Admin admin;

    public static void main(String[] arguments) throws Exception {
        address = arguments[0];
        admin = Admin.create(settings(Map.of()));
        Map<String, Callable<Map<String, Object>>> scenarios = Map.of(
            "administration", KafkaClients::administration,
            "compressions", KafkaClients::compressions,
            "classicGroup", () -> group("classic"),
            "consumerGroup", () -> group("consumer"),
            "classicPattern", () -> pattern("classic"),
            "consumerPattern", () -> pattern("consumer"),
            "transactions", KafkaClients::transactions,
            "deletion", KafkaClients::deletion,
            "notServed", KafkaClients::notServed);
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            Map<String, Object> result;
            try {
                result = scenarios.get(lines.nextLine().trim()).call();
            } catch (Exception error) {
                result = Map.of("error", String.valueOf(error));
            }
            System.out.println(json(result));
            System.out.flush();
        }
        admin.close(Duration.ZERO);
    }

    private static Map<String, Object> administration() throws Exception {
        Map<String, Object> result = new LinkedHashMap<>();
        create("administered", 2);
        admin.createPartitions(Map.of("administered", NewPartitions.increaseTo(3))).all().get();
        TopicDescription topic =
            admin.describeTopics(List.of("administered")).allTopicNames().get().get("administered");
        result.put("partitions", topic.partitions().size());
        result.put("nodes", admin.describeCluster().nodes().get().size());
        ConfigResource config = new ConfigResource(ConfigResource.Type.TOPIC, "administered");
        ConfigEntry entry = new ConfigEntry("retention.ms", "3600000");
        admin.incrementalAlterConfigs(
            Map.of(config, List.of(new AlterConfigOp(entry, AlterConfigOp.OpType.SET)))).all().get();
        result.put("retention", admin.describeConfigs(List.of(config)).all().get().get(config)
            .get("retention.ms").value());
        result.put("resources", admin.listConfigResources(
                Set.of(ConfigResource.Type.BROKER, ConfigResource.Type.BROKER_LOGGER),
                new ListConfigResourcesOptions()).all().get().stream()
            .map(each -> each.type() + " " + each.name()).sorted().collect(Collectors.toList()));
        TopicPartition first = new TopicPartition("administered", 0);
        result.put("latest",
            admin.listOffsets(Map.of(first, OffsetSpec.latest())).all().get().get(first).offset());
        result.put("level", admin.describeFeatures().featureMetadata().get().finalizedFeatures()
            .get("transaction.version").maxVersionLevel());
        FeatureUpdate same = new FeatureUpdate((short) 2, FeatureUpdate.UpgradeType.UPGRADE);
        admin.updateFeatures(Map.of("transaction.version", same), new UpdateFeaturesOptions())
            .all().get();
        FeatureUpdate lower = new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE);
        result.put("downgrade", failure(() -> admin.updateFeatures(
            Map.of("transaction.version", lower), new UpdateFeaturesOptions()).all().get()));
        return result;
    }

    private static Map<String, Object> compressions() throws Exception {
        Map<String, Object> result = new LinkedHashMap<>();
        for (String compression : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String topic = "compressed-" + compression;
            create(topic, 1);
            List<String> sent = numbered(200);
            send(topic, sent, Map.of("compression.type", compression));
            result.put(compression, read(topic, sent.size(), Map.of()).equals(sent));
        }
        return result;
    }

    /** Two members share four partitions; one leaves, and the other gets all. */
    private static Map<String, Object> group(String protocol) throws Exception {
        Map<String, Object> result = new LinkedHashMap<>();
        String topic = "shared-" + protocol;
        create(topic, 4);
        Map<String, Object> settings = Map.of("group.id", topic, "group.protocol", protocol);
        List<String> sent = numbered(100);
        Set<String> seen = new TreeSet<>();
        try (KafkaConsumer<String, String> one = consumer(settings);
             KafkaConsumer<String, String> other = consumer(settings)) {
            for (Consumer<String, String> member : List.of(one, other)) member.subscribe(List.of(topic));
            poll(List.of(one, other), seen,
                ignored -> one.assignment().size() == 2 && other.assignment().size() == 2);
            result.put("shares", List.of(one.assignment().size(), other.assignment().size()));
            send(topic, sent, Map.of());
            poll(List.of(one, other), seen, all -> all.size() >= sent.size());
            result.put("seen", seen.equals(new TreeSet<>(sent)));
            one.commitSync();
            other.commitSync();
            result.put("groups", admin.listGroups().all().get().stream()
                .filter(each -> each.groupId().equals(topic))
                .map(each -> each.type().map(Object::toString).orElse("?")
                    + " " + each.groupState().map(Object::toString).orElse("?"))
                .collect(Collectors.toList()));
            other.close();
            poll(List.of(one), seen, ignored -> one.assignment().size() == 4);
            result.put("after", one.assignment().size());
        }
        Map<TopicPartition, OffsetAndMetadata> committed =
            admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get();
        result.put("committed", committed.values().stream().mapToLong(OffsetAndMetadata::offset).sum());
        return result;
    }

    /** Subscribes before the topic is created, which must be found. */
    private static Map<String, Object> pattern(String protocol) throws Exception {
        Map<String, Object> result = new LinkedHashMap<>();
        String prefix = "pattern-" + protocol;
        create(prefix + ".first", 1);
        create(prefix + ".other", 1);
        send(prefix + ".first", List.of("first"), Map.of());
        send(prefix + ".other", List.of("other"), Map.of());
        Map<String, Object> settings = Map.of(
            "group.id", prefix, "group.protocol", protocol, "metadata.max.age.ms", 500);
        try (KafkaConsumer<String, String> member = consumer(settings)) {
            String expression = prefix + "\\.(first|late)";
            if (protocol.equals("consumer")) member.subscribe(new SubscriptionPattern(expression));
            else member.subscribe(Pattern.compile(expression));
            Set<String> first = new TreeSet<>();
            poll(List.of(member), first, all -> all.size() >= 1);
            result.put("first", first);
            member.commitSync();
            create(prefix + ".late", 1);
            send(prefix + ".late", List.of("late"), Map.of());
            Set<String> late = new TreeSet<>();
            poll(List.of(member), late, all -> all.size() >= 1);
            result.put("late", late);
        }
        return result;
    }

    private static Map<String, Object> transactions() throws Exception {
        Map<String, Object> result = new LinkedHashMap<>();
        create("java-in", 1);
        create("java-out", 1);
        send("java-in", List.of("a", "b"), Map.of());
        Map<String, Object> id = Map.of("transactional.id", "java-transactions");
        try (Producer<String, String> producer = producer(id);
             Producer<String, String> second = producer(id);
             KafkaConsumer<String, String> reader = consumer(Map.of("group.id", "java-group"))) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>("java-out", "aborted")).get();
            producer.abortTransaction();
            reader.subscribe(List.of("java-in"));
            Set<String> in = new TreeSet<>();
            poll(List.of(reader), in, all -> all.size() >= 2);
            producer.beginTransaction();
            for (String value : in) producer.send(new ProducerRecord<>("java-out", value.toUpperCase()));
            TopicPartition partition = new TopicPartition("java-in", 0);
            producer.sendOffsetsToTransaction(
                Map.of(partition, new OffsetAndMetadata(reader.position(partition))),
                reader.groupMetadata());
            producer.commitTransaction();
            result.put("committed", reader.committed(Set.of(partition)).get(partition).offset());
            result.put("out", read("java-out", 2, Map.of("isolation.level", "read_committed")));
            result.put("uncommitted", read("java-out", 3, Map.of()));
            second.initTransactions();
            result.put("fenced", failure(() -> {
                producer.beginTransaction();
                producer.send(new ProducerRecord<>("java-out", "fenced")).get();
                producer.commitTransaction();
                return null;
            }));
        }
        return result;
    }

    /** A request for a topic that was just deleted must not be answered with the topic. */
    private static Map<String, Object> deletion() throws Exception {
        create("deleted", 1);
        admin.deleteTopics(List.of("deleted")).all().get();
        return Map.of(
            "described", failure(() -> admin.describeTopics(List.of("deleted")).allTopicNames().get()),
            "listed", admin.listTopics().names().get().contains("deleted"));
    }

    /** An API that is not served fails immediately with a reason, without waits or retries. */
    private static Map<String, Object> notServed() throws Exception {
        Map<String, Object> result = new LinkedHashMap<>();
        ClientQuotaEntity user = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, "alice"));
        ClientQuotaAlteration.Op rate = new ClientQuotaAlteration.Op("producer_byte_rate", 1024.0);
        result.put("quotas", failure(() -> admin.alterClientQuotas(
            List.of(new ClientQuotaAlteration(user, List.of(rate)))).all().get()));
        result.put("quorum", failure(() -> admin.describeMetadataQuorum().quorumInfo().get()));
        create("not-shared", 1);
        Map<String, Object> settings = settings(Map.of(
            "group.id", "share",
            "key.deserializer", StringDeserializer.class.getName(),
            "value.deserializer", StringDeserializer.class.getName()));
        try (KafkaShareConsumer<String, String> member = new KafkaShareConsumer<>(settings)) {
            member.subscribe(List.of("not-shared"));
            result.put("shareGroup", failure(() -> {
                for (long end = System.nanoTime() + DEADLINE.toNanos(); System.nanoTime() < end;) {
                    member.poll(Duration.ofMillis(100));
                }
                return null;
            }));
        }
        return result;
    }

    private static void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    }

    private static List<String> numbered(int count) {
        List<String> values = new ArrayList<>();
        for (int number = 0; number < count; number++) values.add(String.format("value %03d", number));
        return values;
    }

    private static void send(String topic, List<String> values, Map<String, Object> more) throws Exception {
        try (Producer<String, String> producer = producer(more)) {
            for (String value : values) producer.send(new ProducerRecord<>(topic, value, value));
            producer.flush();
        }
    }

    /** Returns the first `count` values of partition 0. */
    private static List<String> read(String topic, int count, Map<String, Object> more) {
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = consumer(more)) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            consumer.seekToBeginning(consumer.assignment());
            poll(List.of(consumer), values, all -> all.size() >= count);
        }
        return values;
    }

    /** Polls each member in turn until `isEnough` of the received values, or the time is up. */
    private static void poll(
            List<KafkaConsumer<String, String>> members,
            Collection<String> values,
            Predicate<Collection<String>> isEnough) {
        for (long end = System.nanoTime() + DEADLINE.toNanos(); System.nanoTime() < end;) {
            if (isEnough.test(values)) return;
            for (Consumer<String, String> member : members) {
                for (ConsumerRecord<String, String> record : member.poll(Duration.ofMillis(50))) {
                    values.add(record.value());
                }
            }
        }
    }

    private static Producer<String, String> producer(Map<String, Object> more) {
        return new KafkaProducer<>(settings(more), new StringSerializer(), new StringSerializer());
    }

    private static KafkaConsumer<String, String> consumer(Map<String, Object> more) {
        Map<String, Object> settings = settings(more);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    private static Map<String, Object> settings(Map<String, Object> more) {
        Map<String, Object> settings = new LinkedHashMap<>(more);
        settings.put("bootstrap.servers", address);
        settings.put("client.id", "interop");
        return settings;
    }

    /** Returns the kind of the failure; null when there was none. */
    private static String failure(Callable<?> attempt) {
        try {
            attempt.call();
            return null;
        } catch (ExecutionException error) {
            return error.getCause().getClass().getSimpleName();
        } catch (Exception error) {
            return error.getClass().getSimpleName();
        }
    }

    private static String json(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            return String.valueOf(value);
        }
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream().map(each -> json(each.getKey()) + ":" + json(each.getValue()))
                .collect(Collectors.joining(",", "{", "}"));
        }
        if (value instanceof Collection<?> items) {
            return items.stream().map(KafkaClients::json).collect(Collectors.joining(",", "[", "]"));
        }
        String text = value.toString().replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
        return '"' + text + '"';
    }
}
