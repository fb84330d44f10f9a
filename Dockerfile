# One image for both roles: a static program in an empty root.
#
#   docker build -t chaoscope:0.1.0 .                                builds it from the sources; needs the network
#   make dist && docker build --target prebuilt -t chaoscope:0.1.0 . takes the program of dist/
#   docker build --target grafana -t chaoscope-grafana:0.1.0 .       Grafana with the datasource in it, for overlays/demo
#
# The program runs as an ordinary user unless a manifest says otherwise; the node role's does (manifests/base/node.yaml). There is no HEALTHCHECK:
# Kubernetes asks /healthz itself, and there is no shell to ask with.

FROM scratch AS empty
LABEL org.opencontainers.image.title="chaoscope" \
      org.opencontainers.image.description="The seismograph for chaos experiments" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="scratch"
USER 65532:65532
EXPOSE 10765
ENTRYPOINT ["/chaoscope"]

FROM empty AS prebuilt
COPY dist/chaoscope-*-linux-*/chaoscope dist/chaoscope-*-linux-*/LICENSE /

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
RUN triple=$(uname -m)-unknown-linux-gnu \
 && RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked -p chaoscope -p chaoscope-datasource --target "$triple" \
 && mkdir /built && cp "target/$triple/release/chaoscope" "target/$triple/release/gpx_chaoscope" /built/

FROM node:22-bookworm AS plugin
WORKDIR /src
COPY . .
COPY --from=build /built/gpx_chaoscope /built/
RUN cd datasource && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build && cd .. \
 && machine=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/') \
 && datasource/pack.sh /packed "linux_$machine=/built/gpx_chaoscope" \
 && python3 -m zipfile -e /packed/*.zip /plugins && chmod +x /plugins/*/gpx_*

FROM grafana/grafana:12.4.10 AS grafana
COPY --from=plugin /plugins /opt/grafana-plugins
ENV GF_PATHS_PLUGINS=/opt/grafana-plugins \
    GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS=chaoscope-events-datasource

FROM empty
COPY --from=build /built/chaoscope /src/LICENSE /
