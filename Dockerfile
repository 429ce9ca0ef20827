# One binary; the command says which role: `docker run fillstream serve --role api`.

FROM rust:1.95.0-slim-bookworm AS build
# The image's own toolchain: rust-toolchain.toml names the same with what only development needs.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package fillstream-cli --bin fillstream \
    && cp target/release/fillstream /usr/local/bin/fillstream

FROM debian:bookworm-slim
# curl asks the roles that serve HTTP whether they are ready.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --uid 10001 fillstream \
    && install --directory --owner fillstream /var/lib/fillstream /var/lib/fillstream/venues
COPY --from=build /usr/local/bin/fillstream /usr/local/bin/fillstream
USER 10001
ENTRYPOINT ["fillstream"]
CMD ["--help"]
