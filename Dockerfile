# One image for all services; the pod's command says which one runs. git is letta-bridge's, which records what
# worktrees look like.
#
#   docker build -t god33 .
#   docker run god33 event-store-manager --help

FROM debian:bookworm-slim AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
COPY deploy/dev/install.sh /src/deploy/dev/
# The list of packages is ./dev's own.
RUN . /src/deploy/dev/install.sh && apt-get update && \
    apt-get install -y --no-install-recommends "${BUILD_PACKAGES[@]}" "${NODE_PACKAGES[@]}"
COPY package.json package-lock.json .npmrc /src/
RUN cd /src && npm ci --omit=dev
COPY CMakeLists.txt CMakePresets.json /src/
COPY proto /src/proto
COPY libs /src/libs
COPY services /src/services
COPY tools /src/tools
RUN cd /src && cmake --preset release -DGOD33_BUILD_TESTS=OFF && cmake --build --preset release && \
    mkdir /out && \
    install -s build/release/bin/{event-store-manager,event-store-api,letta-bridge,gateway,god33} /out && \
    install node_modules/@dbmate/*/bin/dbmate /out

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
      ca-certificates git libabsl20220623 libgrpc++1.51 libpq5 libprometheus-cpp-core1.0 libprotobuf32 \
      librabbitmq4 libsimdjson14 libspdlog1.10 libssl3 libyaml-cpp0.7 && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /usr/local/bin/
COPY migrations /migrations
# Nothing here is written to, and no name is needed: Kubernetes' restricted profile asks for both.
USER 10001:10001
EXPOSE 8080 50051 9090
CMD ["event-store-manager", "--help"]
