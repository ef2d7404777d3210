# Two images from one build: --target quota_service and --target agent_service. Both have the CLI, holdfast, too.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY scripts/lib/common.sh scripts/lib/common.sh
RUN bash -c 'source scripts/lib/common.sh && install_packages "${build_packages[@]}"'
COPY . .
RUN --mount=type=cache,target=/root/.cache/ccache \
    bash -c 'source scripts/lib/common.sh && mkdir -p build && build release quota_service agent_service holdfast_cli'
RUN install -D --strip --target-directory=/out/bin build/release/bin/quota_service build/release/bin/agent_service build/release/bin/holdfast

FROM debian:bookworm-slim AS runtime
# The packages of the shared libraries that the three programs name, no more; a test compares.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates \
        libabsl20220623 \
        libboost-json1.81.0 \
        libcurl4 \
        libedit2 \
        libfmt9 \
        libgrpc++1.51 \
        libgrpc29 \
        libprometheus-cpp-core1.0 \
        libprotobuf32 \
        libspdlog1.10 \
        libsqlite3-0 \
        libssl3 \
        libyaml-cpp0.7 \
        libzstd1 \
        zlib1g \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/holdfast --shell /usr/sbin/nologin holdfast \
    && install -d -o holdfast -g holdfast -m 700 /var/lib/holdfast
COPY --from=build /out/bin/ /usr/local/bin/
# Journals, the checkpoint of quota_service and, without a configuration, sessions: in /var/lib/holdfast.
ENV XDG_STATE_HOME=/var/lib
USER holdfast
# Secrets are at /run/secrets; configurations name them as secrets/NAME.
WORKDIR /run

FROM runtime AS quota_service
VOLUME /var/lib/holdfast
EXPOSE 50051 8080 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["quota_service", "--health", "127.0.0.1:50051"]
ENTRYPOINT ["quota_service"]

FROM runtime AS agent_service
VOLUME /var/lib/holdfast
EXPOSE 50052 9465
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["agent_service", "--health", "127.0.0.1:50052"]
ENTRYPOINT ["agent_service"]
