import com.sun.tools.attach.VirtualMachine;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/**
 * Prints the MBeans of another JVM of this user: `java MBeans.java PID PATTERN…`. One line per attribute, with tabs between the object's
 * canonical name, the attribute's name and its value (line breaks and tabs become blanks).
 */
public class MBeans {
    public static void main(String[] args) throws Exception {
        VirtualMachine machine = VirtualMachine.attach(args[0]);
        String address;
        try {
            address = machine.startLocalManagementAgent();
        } finally {
            machine.detach();
        }
        try (JMXConnector connector = JMXConnectorFactory.connect(new JMXServiceURL(address))) {
            MBeanServerConnection server = connector.getMBeanServerConnection();
            for (int i = 1; i < args.length; i++) {
                for (ObjectName name : new TreeSet<>(server.queryNames(new ObjectName(args[i]), null))) print(server, name);
            }
        }
    }

    private static void print(MBeanServerConnection server, ObjectName name) throws Exception {
        Map<String, String> values = new TreeMap<>();
        for (MBeanAttributeInfo attribute : server.getMBeanInfo(name).getAttributes()) {
            values.put(attribute.getName(), String.valueOf(server.getAttribute(name, attribute.getName())));
        }
        for (Map.Entry<String, String> each : values.entrySet()) {
            System.out.println(name.getCanonicalName() + "\t" + each.getKey() + "\t" + each.getValue().replaceAll("[\\t\\r\\n]", " "));
        }
    }
}
