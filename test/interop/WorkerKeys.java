import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;

/**
 * Prints the configuration keys of Java's workers: mode, key, type and default (or {@code <required>}), separated by tabs. Run with Kafka's
 * jars on the class path.
 */
public class WorkerKeys {
    public static void main(String[] args) throws Exception {
        print("distributed", "org.apache.kafka.connect.runtime.distributed.DistributedConfig");
        print("standalone", "org.apache.kafka.connect.runtime.standalone.StandaloneConfig");
    }

    private static void print(String mode, String name) throws Exception {
        for (ConfigDef.ConfigKey key : new TreeMap<>(definition(Class.forName(name)).configKeys()).values()) {
            String value = key.hasDefault() ? ConfigDef.convertToString(key.defaultValue, key.type) : "<required>";
            System.out.println(mode + "\t" + key.name + "\t" + key.type + "\t" + (value == null ? "<null>" : value));
        }
    }

    private static ConfigDef definition(Class<?> config) throws Exception {
        for (Method method : config.getDeclaredMethods()) {
            if (!Modifier.isStatic(method.getModifiers()) || method.getReturnType() != ConfigDef.class) continue;
            method.setAccessible(true);
            return (ConfigDef) (method.getParameterCount() == 0 ? method.invoke(null) : method.invoke(null, crypto(method)));
        }
        for (Field field : config.getDeclaredFields()) {
            if (field.getType() != ConfigDef.class) continue;
            field.setAccessible(true);
            return (ConfigDef) field.get(null);
        }
        throw new IllegalStateException("no definition in " + config);
    }

    /** What looks up the algorithms of the running JVM. */
    private static Object crypto(Method method) throws Exception {
        Field field = method.getParameterTypes()[0].getDeclaredField("SYSTEM");
        field.setAccessible(true);
        return field.get(null);
    }
}
