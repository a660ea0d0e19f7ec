import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.core.JsonGenerator;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaDeserializer;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;

/**
 * JSON Schema as Apicurio's deserialiser for Kafka has it: one message per line on standard input, {"topic", "bytes": base64}; what it reads, checked by
 * the schema that the registry has for the id, as one line on standard output. The first argument is the URL of the registry.
 */
public class JsonSchemaPeer {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .nodeFactory(JsonNodeFactory.withExactBigDecimals(true))
            .enable(JsonGenerator.Feature.WRITE_BIGDECIMAL_AS_PLAIN)
            .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
            .build();

    public static void main(String[] args) throws Exception {
        Map<String, Object> config = new HashMap<>();
        config.put("apicurio.registry.url", args[0]);
        config.put("apicurio.registry.as-confluent", "true");
        config.put("apicurio.registry.use-id", "contentId");
        config.put("apicurio.registry.headers.enabled", "false");
        config.put("apicurio.registry.serde.validation-enabled", "true");
        config.put("apicurio.registry.deserializer.value.return-class", JsonNode.class.getName());
        JsonSchemaKafkaDeserializer<JsonNode> deserializer = new JsonSchemaKafkaDeserializer<>();
        deserializer.configure(config, false);
        deserializer.setObjectMapper(JSON);
        if (!deserializer.isValidationEnabled()) throw new IllegalStateException("schemas are not looked at");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                JsonNode input = JSON.readTree(line);
                byte[] bytes = Base64.getDecoder().decode(input.get("bytes").asText());
                answer.put("json", JSON.writeValueAsString(deserializer.deserialize(input.get("topic").asText(), bytes)));
            } catch (Throwable error) {
                answer.put("error", String.valueOf(error));
            }
            out.write(JSON.writeValueAsString(answer));
            out.write("\n");
        }
        out.flush();
    }
}
