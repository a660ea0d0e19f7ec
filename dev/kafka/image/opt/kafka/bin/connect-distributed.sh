#!/bin/sh
# usage: connect-distributed.sh FILE
# Stands for Kafka's own script in the image `apache/kafka:dev` of the local node: Kafka's jars as set-up has fetched them, quick to start.
libs=$(ls -d "$HEADRACE_CACHE"/kafka-????????????/ 2>/dev/null | head -n 1)
if [ -z "$libs" ]; then echo "no Kafka in $HEADRACE_CACHE: run make setup" >&2; exit 1; fi
exec java ${KAFKA_HEAP_OPTS:--Xmx512m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
  ${HEADRACE_HOSTS:+-Djdk.net.hosts.file=$HEADRACE_HOSTS} $KAFKA_JVM_PERFORMANCE_OPTS $KAFKA_GC_LOG_OPTS $KAFKA_JMX_OPTS $KAFKA_LOG4J_OPTS $KAFKA_OPTS \
  -cp "${CLASSPATH:+$CLASSPATH:}$libs*" org.apache.kafka.connect.cli.ConnectDistributed "$@"
