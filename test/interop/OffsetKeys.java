import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.connect.json.JsonConverter;

/**
 * Prints the keys that a Java worker writes to the offsets topic: one JSON object per line with the entries of a source partition in
 * the order of their insertion into a HashMap, and the key's text. Run with Kafka's jars on the class path; the output is
 * test/runtime/store/golden/offset-keys.jsonl.
 */
public class OffsetKeys {
    private static final JsonConverter CONVERTER = new JsonConverter();
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        CONVERTER.configure(Map.of("schemas.enable", "false"), false);
        print("file-src", "filename", "/a.txt");
        print("mm2-source", "cluster", "primary", "partition", 3, "topic", "orders");
        print("mm2-checkpoint", "partition", 3, "topic", "orders", "group", "billing");
        print("mm2-heartbeat", "sourceClusterAlias", "a", "targetClusterAlias", "b");
        print("jdbc", "protocol", "1", "table", "public.orders");
        print("debezium", "server", "db", "database", "inventory");
        print("no-partition-fields");
        print("types", "null", null, "true", true, "int", 7, "long", 9223372036854775807L, "negative", -9007199254740993L, "double", 0.5);
        print("quotes \" and \\", "tab\t", "line\nfeed", "bell\u0007", "escape\u001b", "backslash\\u001b", "del\u007f", "umlaut", "äöü€",
            "slash/", "</script>", "emoji", "\ud83d\ude00", "separator\u2028", "");
        Random random = new Random(20240607);
        for (int i = 0; i < 300; i++) {
            int size = 1 + (i < 200 ? random.nextInt(6) : random.nextInt(60));
            Map<String, Object> entries = new LinkedHashMap<>();
            while (entries.size() < size) entries.put(name(random), random.nextInt(1000));
            print("random-" + i, flatten(entries));
        }
        // Names that fall into one bucket keep the order of insertion.
        print("collisions", "AaAa", 1, "BBBB", 2, "AaBB", 3, "BBAa", 4);
        print("collisions", "BBAa", 4, "AaBB", 3, "BBBB", 2, "AaAa", 1);
    }

    private static String name(Random random) {
        String alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.äß漢";
        StringBuilder name = new StringBuilder("k");
        int length = random.nextInt(14);
        for (int i = 0; i < length; i++) name.append(alphabet.charAt(random.nextInt(alphabet.length())));
        return name.toString();
    }

    private static Object[] flatten(Map<String, Object> entries) {
        List<Object> flat = new ArrayList<>();
        entries.forEach((key, value) -> flat.addAll(Arrays.asList(key, value)));
        return flat.toArray();
    }

    private static void print(String connector, Object... entries) throws Exception {
        Map<String, Object> partition = new HashMap<>();
        List<Object> order = new ArrayList<>();
        for (int i = 0; i < entries.length; i += 2) {
            partition.put((String) entries[i], entries[i + 1]);
            order.add(Arrays.asList(entries[i], entries[i + 1]));
        }
        byte[] key = CONVERTER.fromConnectData("topic", null, Arrays.asList(connector, partition));
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("connector", connector);
        line.put("entries", order);
        line.put("key", new String(key, StandardCharsets.UTF_8));
        line.put("kafkaPartition", Utils.toPositive(Utils.murmur2(key)) % 25);
        System.out.println(JSON.writeValueAsString(line));
    }
}
