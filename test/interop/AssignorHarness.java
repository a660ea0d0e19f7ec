package org.apache.kafka.connect.runtime.distributed;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.util.ConnectorTaskId;

/**
 * Answers for Apache's IncrementalCooperativeAssignor, one JSON line per round: {"reset": maxDelayMs} starts a new leader;
 * {"nowMs", "lastGeneration", "generation", "configured": {connector: tasks}, "members": {id: work}} is a round, answered by
 * {"delayMs", "shares": {id: {"assigned": work, "revoked": work}}}; work is a list of [connector, task], the connector being task -1.
 * It lives in the assignor's package because the round without wire format is visible there only.
 */
public class AssignorHarness {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        Clock clock = new Clock();
        IncrementalCooperativeAssignor assignor = null;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode command = JSON.readTree(line);
            if (command.has("reset")) {
                assignor = new IncrementalCooperativeAssignor(new LogContext(), clock, command.get("reset").asInt());
                continue;
            }
            clock.nowMs = command.get("nowMs").asLong();
            Map<String, WorkerCoordinator.ConnectorsAndTasks> members = new TreeMap<>();
            command.get("members").fields().forEachRemaining(each -> members.put(each.getKey(), toWork(each.getValue())));
            IncrementalCooperativeAssignor.ClusterAssignment answer = assignor.performTaskAssignment(
                toConfig(command.get("configured")), command.get("lastGeneration").asInt(), command.get("generation").asInt(), members);
            ObjectNode shares = JSON.createObjectNode();
            for (String member : members.keySet()) {
                ObjectNode share = shares.putObject(member);
                share.set("assigned", toJson(answer.newlyAssignedConnectors(member), answer.newlyAssignedTasks(member)));
                share.set("revoked", toJson(answer.newlyRevokedConnectors(member), answer.newlyRevokedTasks(member)));
            }
            ObjectNode result = JSON.createObjectNode().put("delayMs", assignor.delay);
            result.set("shares", shares);
            System.out.println(JSON.writeValueAsString(result));
        }
    }

    private static WorkerCoordinator.ConnectorsAndTasks toWork(JsonNode items) {
        List<String> connectors = new ArrayList<>();
        List<ConnectorTaskId> tasks = new ArrayList<>();
        for (JsonNode item : items) {
            String connector = item.get(0).asText();
            int task = item.get(1).asInt();
            if (task < 0) connectors.add(connector);
            else tasks.add(new ConnectorTaskId(connector, task));
        }
        return new WorkerCoordinator.ConnectorsAndTasks.Builder().with(connectors, tasks).build();
    }

    private static ClusterConfigState toConfig(JsonNode configured) {
        Map<String, Integer> counts = new HashMap<>();
        Map<String, Map<String, String>> connectors = new HashMap<>();
        Map<ConnectorTaskId, Map<String, String>> tasks = new HashMap<>();
        configured.fields().forEachRemaining(each -> {
            counts.put(each.getKey(), each.getValue().asInt());
            connectors.put(each.getKey(), Map.of());
            for (int task = 0; task < each.getValue().asInt(); task++) tasks.put(new ConnectorTaskId(each.getKey(), task), Map.of());
        });
        return new ClusterConfigState(1, null, counts, connectors, Map.of(), tasks, Map.of(), Map.of(), Map.of(), Set.of(), Set.of());
    }

    private static ArrayNode toJson(Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
        ArrayNode items = JSON.createArrayNode();
        for (String connector : connectors) items.addArray().add(connector).add(-1);
        for (ConnectorTaskId task : tasks) items.addArray().add(task.connector()).add(task.task());
        return items;
    }

    private static class Clock implements Time {
        private long nowMs;

        @Override
        public long milliseconds() {
            return nowMs;
        }

        @Override
        public long nanoseconds() {
            return nowMs * 1_000_000;
        }

        @Override
        public void sleep(long ms) {
            nowMs += ms;
        }

        @Override
        public void waitObject(Object object, Supplier<Boolean> condition, long deadlineMs) {
            throw new UnsupportedOperationException();
        }
    }
}
