# The images for those who build with Docker: docker build --target operator . and docker build --target worker .
# The file systems are those of `make images`, which needs no Docker and is what is released.
FROM debian:12 AS build
RUN apt-get update && apt-get install --yes --no-install-recommends \
    ca-certificates g++ gcc libcurl4-openssl-dev libsasl2-dev libssl-dev libzstd-dev make nodejs npm openssl perl python3 zlib1g-dev
WORKDIR /headrace
COPY . .
# Debian's npm takes what is for another libc, too.
RUN npm ci --ignore-scripts --no-fund --no-audit && rm -rf node_modules/*-musl node_modules/@*/*-musl
# It makes no link for node among the other commands: Node 24 is where its package is.
RUN PATH="$(echo "$PWD"/node_modules/node-linux-*/bin):$PWD/node_modules/.bin:$PATH" && export PATH && \
    node --conditions=source dev/image/main.ts --root /images

FROM scratch AS operator
COPY --from=build /images/operator /
USER 1001:0
ENV PATH=/opt/headrace/bin:/usr/local/bin NODE_ENV=production HOME=/tmp
WORKDIR /tmp
ENTRYPOINT ["/opt/headrace/bin/headrace-operator"]
LABEL org.opencontainers.image.title="Headrace operator"
LABEL org.opencontainers.image.description="Turns KafkaConnect and KafkaConnector resources into running Connect clusters."
LABEL org.opencontainers.image.licenses="Apache-2.0"

FROM scratch AS worker
COPY --from=build /images/worker /
USER 1001:0
ENV PATH=/opt/headrace/bin:/usr/local/bin NODE_ENV=production HOME=/tmp
WORKDIR /tmp
ENTRYPOINT ["/opt/headrace/bin/headrace-worker"]
LABEL org.opencontainers.image.title="Headrace worker"
LABEL org.opencontainers.image.description="A Kafka Connect worker without a JVM."
LABEL org.opencontainers.image.licenses="Apache-2.0"
