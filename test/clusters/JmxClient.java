import java.util.Map;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/**
 * Asks a Connect worker over JMX how many tasks it has: `java JmxClient.java HOST PORT`, as the user of JMX_USERNAME and JMX_PASSWORD, or as
 * nobody without them. Prints the number, or "refused" with the reason.
 */
public class JmxClient {
    public static void main(String[] args) throws Exception {
        JMXServiceURL url = new JMXServiceURL("service:jmx:rmi:///jndi/rmi://" + args[0] + ":" + args[1] + "/jmxrmi");
        String user = System.getenv("JMX_USERNAME");
        Map<String, Object> environment = user == null
            ? Map.of()
            : Map.of(JMXConnector.CREDENTIALS, new String[] {user, System.getenv("JMX_PASSWORD")});
        try (JMXConnector connector = JMXConnectorFactory.connect(url, environment)) {
            ObjectName bean = new ObjectName("kafka.connect:type=connect-worker-metrics");
            System.out.println(connector.getMBeanServerConnection().getAttribute(bean, "task-count"));
        } catch (SecurityException refusal) {
            System.out.println("refused: " + refusal.getMessage());
        }
    }
}
