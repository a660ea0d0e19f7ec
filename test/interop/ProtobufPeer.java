import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import com.google.protobuf.WrappersProto;
import com.google.protobuf.util.JsonFormat;
import io.apicurio.registry.utils.protobuf.schema.FileDescriptorUtils;
import io.apicurio.registry.utils.protobuf.schema.FileDescriptorUtils.ProtobufSchemaContent;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/**
 * Protobuf as Apicurio's parser and protobuf-java have it: one message per line on standard input, with the text of its schema, as bytes in
 * base64 or as protobuf's JSON; the other form, and the bytes that Java writes, as one line on standard output. Run with the libraries of
 * Apicurio Registry on the class path.
 */
public class ProtobufPeer {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                answer(JSON.readTree(line), answer);
            } catch (Throwable error) {
                answer.put("error", String.valueOf(error));
            }
            out.write(JSON.writeValueAsString(answer));
            out.write("\n");
        }
        out.flush();
    }

    private static void answer(JsonNode input, ObjectNode answer) throws Exception {
        Descriptor descriptor = descriptor(input);
        JsonFormat.TypeRegistry types = JsonFormat.TypeRegistry.newBuilder().add(descriptor).build();
        DynamicMessage message;
        if (input.has("bytes")) {
            message = DynamicMessage.parseFrom(descriptor, Base64.getDecoder().decode(input.get("bytes").asText()));
        } else {
            DynamicMessage.Builder builder = DynamicMessage.newBuilder(descriptor);
            JsonFormat.parser().usingTypeRegistry(types).merge(input.get("json").toString(), builder);
            message = builder.build();
        }
        JsonFormat.Printer printer = JsonFormat.printer().usingTypeRegistry(types).preservingProtoFieldNames().includingDefaultValueFields();
        answer.put("json", printer.print(message));
        answer.put("bytes", Base64.getEncoder().encodeToString(message.toByteArray()));
        answer.put("unknown", unknown(message));
    }

    private static Descriptor descriptor(JsonNode input) throws Exception {
        String name = input.get("message").asText();
        String wrappers = "google.protobuf.";
        // Java's printer takes only its own for wrappers.
        if (name.startsWith(wrappers)) return WrappersProto.getDescriptor().findMessageTypeByName(name.substring(wrappers.length()));
        ProtobufSchemaContent schema = ProtobufSchemaContent.of("peer.proto", input.get("schema").asText());
        FileDescriptor file = FileDescriptorUtils.parseProtoFileWithDependencies(schema, List.of(), Map.of(), false);
        String prefix = file.getPackage().isEmpty() ? "" : file.getPackage() + ".";
        return file.findMessageTypeByName(name.substring(prefix.length()));
    }

    /** How many fields of the message, and of those in it, the schema does not know. */
    private static int unknown(Message message) {
        int count = message.getUnknownFields().asMap().size();
        for (Map.Entry<FieldDescriptor, Object> field : message.getAllFields().entrySet()) {
            List<?> values = field.getValue() instanceof List ? (List<?>) field.getValue() : List.of(field.getValue());
            for (Object value : values) if (value instanceof Message) count += unknown((Message) value);
        }
        return count;
    }
}
