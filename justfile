# Commands for contributors; `just` lists them. Every recipe is one plain command, so that just itself
# is optional (`pip install rust-just`, `cargo install just`).

[private]
default:
    @just --list

# Format, lints, unit tests and fast integration tests, without root, network, PostgreSQL or browser
check:
    scripts/check.sh

# Every Rust test, or those that ARGUMENTS of cargo-nextest select; starts a PostgreSQL
test *arguments:
    scripts/postgres.sh run cargo nextest run --locked --workspace --profile ci {{ arguments }}

# What CI runs; installs what is missing. Sections: see scripts/test.sh
full *sections:
    scripts/test.sh {{ sections }}

# Accept intended changes of snapshots; review them with git diff
snapshots:
    INSTA_UPDATE=always cargo test --locked --package ddpatrol --test it output::

# Format everything
format:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml
