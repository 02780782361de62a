# The image: the binary, what it is linked to, and nothing else.
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" \
#       --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" --tag diarchy:0.1.0 .
#
# The same source, arguments and base image give the same files. Who must have the same bytes on
# another day names the base by its digest, in RUST_IMAGE.

ARG RUST_IMAGE=rust:1.93-slim-trixie

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
# The revision that `diarchy version` shows.
ARG REVISION
# Times in the image are this one, where the builder knows it.
ARG SOURCE_DATE_EPOCH
ENV CARGO_INCREMENTAL=0 \
    # Paths of this machine are in no message and no backtrace.
    RUSTFLAGS="--remap-path-prefix=/src=/diarchy --remap-path-prefix=/usr/local/cargo=/cargo" \
    # Names of functions stay, for backtraces; what debuggers read does not.
    CARGO_PROFILE_RELEASE_STRIP=debuginfo \
    # No library that the final image would have to bring along for this alone.
    LIBZ_SYS_STATIC=1
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    if [ -n "${REVISION}" ]; then export DIARCHY_REVISION="${REVISION}"; fi && \
    cargo build --locked --release --package diarchy --bin diarchy && \
    .ci/image target/release/diarchy /image

FROM scratch
ARG VERSION=0.1.0
ARG REVISION
LABEL org.opencontainers.image.title="diarchy" \
      org.opencontainers.image.description="GitOps for co-managed Windows fleets" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
ENTRYPOINT [ "/usr/local/bin/diarchy" ]
CMD [ "--help" ]
