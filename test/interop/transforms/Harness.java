import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * Runs Apache's transforms, predicates and converters: one case per line on standard input, its results as one line on standard output
 * (JSON arrays, an element per record or payload). test/interop/transforms/cases.ts describes the encoding. Run with Kafka's jars on the
 * class path and -Duser.timezone=UTC.
 */
public class Harness {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonConverter OUT = new JsonConverter();
    private static final JsonConverter SCHEMAS = new JsonConverter();

    public static void main(String[] args) throws Exception {
        OUT.configure(Map.of("schemas.enable", "true", "replace.null.with.default", "false"), false);
        SCHEMAS.configure(Map.of("schemas.enable", "true"), false);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.write(JSON.writeValueAsString(run(JSON.readTree(line))));
            out.write("\n");
        }
        out.flush();
    }

    private static JsonNode run(JsonNode test) {
        ArrayNode results = JSON.createArrayNode();
        Object plugin;
        try {
            plugin = Class.forName(test.get("class").asText()).getDeclaredConstructor().newInstance();
            configure(plugin, test);
        } catch (Throwable error) {
            return results.add(failure(error));
        }
        for (JsonNode input : test.get("inputs")) {
            try {
                results.add(apply(plugin, test, input));
            } catch (Throwable error) {
                results.add(failure(error));
            }
        }
        return results;
    }

    private static void configure(Object plugin, JsonNode test) {
        Map<String, String> config = new HashMap<>();
        test.get("config").fields().forEachRemaining(entry -> config.put(entry.getKey(), entry.getValue().asText()));
        if (plugin instanceof Transformation) ((Transformation<?>) plugin).configure(config);
        else if (plugin instanceof Predicate) ((Predicate<?>) plugin).configure(config);
        else if (plugin instanceof Converter) ((Converter) plugin).configure(config, false);
        else ((HeaderConverter) plugin).configure(config);
    }

    @SuppressWarnings("unchecked")
    private static JsonNode apply(Object plugin, JsonNode test, JsonNode input) throws Exception {
        if (plugin instanceof Transformation) {
            Object result = input.get("offset").isNull()
                ? ((Transformation<SourceRecord>) plugin).apply((SourceRecord) record(input))
                : ((Transformation<SinkRecord>) plugin).apply((SinkRecord) record(input));
            return result == null ? JSON.nullNode() : describe((ConnectRecord<?>) result);
        }
        if (plugin instanceof Predicate) {
            return JSON.getNodeFactory().booleanNode(input.get("offset").isNull()
                ? ((Predicate<SourceRecord>) plugin).test((SourceRecord) record(input))
                : ((Predicate<SinkRecord>) plugin).test((SinkRecord) record(input)));
        }
        if (test.get("direction").asText().equals("decode")) {
            byte[] payload = input.isNull() ? null : Base64.getDecoder().decode(input.asText());
            SchemaAndValue data = plugin instanceof Converter
                ? ((Converter) plugin).toConnectData("topic", payload)
                : ((HeaderConverter) plugin).toConnectHeader("topic", "header", payload);
            return data == null ? describe(null, null) : describe(data.schema(), data.value());
        }
        SchemaAndValue data = data(input);
        byte[] payload = plugin instanceof Converter
            ? ((Converter) plugin).fromConnectData("topic", data.schema(), data.value())
            : ((HeaderConverter) plugin).fromConnectHeader("topic", "header", data.schema(), data.value());
        return payload == null ? JSON.nullNode() : JSON.getNodeFactory().textNode(Base64.getEncoder().encodeToString(payload));
    }

    private static ConnectRecord<?> record(JsonNode node) {
        SchemaAndValue key = data(node.get("key"));
        SchemaAndValue value = data(node.get("value"));
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode header : node.get("headers")) headers.add(header.get("key").asText(), data(header));
        Integer partition = node.get("partition").isNull() ? null : node.get("partition").asInt();
        Long timestamp = node.get("timestamp").isNull() ? null : node.get("timestamp").asLong();
        String topic = node.get("topic").asText();
        if (node.get("offset").isNull()) {
            return new SourceRecord(Map.of(), Map.of(), topic, partition, key.schema(), key.value(), value.schema(), value.value(),
                timestamp, headers);
        }
        return new SinkRecord(topic, partition, key.schema(), key.value(), value.schema(), value.value(), node.get("offset").asLong(),
            timestamp, TimestampType.CREATE_TIME, headers);
    }

    private static ObjectNode describe(ConnectRecord<?> record) {
        ObjectNode result = JSON.createObjectNode();
        result.put("topic", record.topic());
        result.put("partition", record.kafkaPartition());
        result.put("timestamp", record.timestamp());
        result.set("key", describe(record.keySchema(), record.key()));
        result.set("value", describe(record.valueSchema(), record.value()));
        ArrayNode headers = result.putArray("headers");
        for (Header header : record.headers()) headers.add(describe(header.schema(), header.value()).put("key", header.key()));
        return result;
    }

    private static ObjectNode describe(Schema schema, Object value) {
        ObjectNode result = JSON.createObjectNode();
        try {
            byte[] json = OUT.fromConnectData("topic", schema, value);
            result.put("json", json == null ? null : new String(json, StandardCharsets.UTF_8));
        } catch (Throwable error) {
            result.set("json", failure(error));
        }
        return result;
    }

    private static ObjectNode failure(Throwable error) {
        String category = error instanceof ConfigException ? "config" : error instanceof DataException ? "data" : error.getClass().getName();
        return JSON.createObjectNode().put("error", category).put("message", error.getMessage());
    }

    private static SchemaAndValue data(JsonNode node) {
        JsonNode schemaNode = node.get("schema");
        Schema schema = schemaNode.isNull() ? null : SCHEMAS.asConnectSchema(schemaNode);
        return new SchemaAndValue(schema, value(schema, node.get("value")));
    }

    private static Object value(Schema schema, JsonNode node) {
        if (node.isNull()) return null;
        Map.Entry<String, JsonNode> entry = node.fields().next();
        JsonNode it = entry.getValue();
        switch (entry.getKey()) {
            case "i8": return (byte) it.asInt();
            case "i16": return (short) it.asInt();
            case "i32": return it.asInt();
            case "i64": return Long.parseLong(it.asText());
            case "f32": return Float.parseFloat(it.asText());
            case "f64": return Double.parseDouble(it.asText());
            case "b": return it.asBoolean();
            case "s": return it.asText();
            case "y": return Base64.getDecoder().decode(it.asText());
            case "date": return new Date(Long.parseLong(it.asText()));
            case "dec": return new BigDecimal(new BigInteger(it.asText()), Integer.parseInt(schema.parameters().get("scale")));
            case "a": {
                List<Object> list = new ArrayList<>();
                for (JsonNode item : it) list.add(value(schema == null ? null : schema.valueSchema(), item));
                return list;
            }
            case "m": {
                Map<Object, Object> map = new LinkedHashMap<>();
                for (JsonNode pair : it) {
                    map.put(value(schema == null ? null : schema.keySchema(), pair.get(0)),
                        value(schema == null ? null : schema.valueSchema(), pair.get(1)));
                }
                return new HashMap<>(map);
            }
            case "st": {
                Struct struct = new Struct(schema);
                int index = 0;
                for (Field field : schema.fields()) {
                    Object item = value(field.schema(), it.get(index++));
                    if (item != null) struct.put(field, item);
                }
                return struct;
            }
            default: throw new IllegalArgumentException("unknown value " + node);
        }
    }
}
