# Rollcall in a container; docs/deployment.md says how it is run. No secret is in any layer: the key is made in the volume, or mounted.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
# the caches stay outside of the layers
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --locked --release --package rollcall \
    && cp target/release/rollcall /rollcall

FROM debian:bookworm-slim
# the authorities that sign certificates of targets, mail servers and databases
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/rollcall --shell /usr/sbin/nologin rollcall \
    && install --directory --owner=rollcall --group=rollcall --mode=0700 /var/lib/rollcall
COPY --from=build /rollcall /usr/local/bin/rollcall
COPY LICENSE /usr/share/doc/rollcall/LICENSE

USER 10001:10001
WORKDIR /var/lib/rollcall
VOLUME /var/lib/rollcall
ENV ROLLCALL_STORE=sqlite:/var/lib/rollcall/rollcall.db \
    ROLLCALL_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# `up` from the server itself; the image has no HTTP client, and needs none
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep --quiet ' 200 '"]
ENTRYPOINT ["rollcall"]
CMD ["serve"]
