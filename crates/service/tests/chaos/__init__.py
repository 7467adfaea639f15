"""Chaos run of `ddpatrold`: faults under load, checked against a ledger. See scripts/chaos.sh."""
