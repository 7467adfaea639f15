"""The results of runs as Markdown."""

from .load import answers
from .schedule import KINDS
from .system import MEBIBYTE


def table(heads, rows):
    """Returns a table; the head of the first column is usually empty."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def summary(run):
    """Returns the rows of a run's totals."""
    system, acknowledged = run.system, run.system.ledger.acknowledged
    memory = ", ".join(
        f"{r.peak / MEBIBYTE:.0f} ({r.idle / MEBIBYTE:.0f}, {system.memory_bound(r) / MEBIBYTE:.0f})"
        for r in system.replicas
    )
    return {
        "replicas": len(system.replicas),
        "duration, s": f"{run.seconds:.0f}",
        "faults injected": sum(run.faults.values()),
        "requests of the load": system.requests["sent"],
        "answers": answers(system.requests),
        "without an answer": system.requests["unanswered"],
        "answered requests of the attackers": system.attacks,
        "acknowledged creations": acknowledged["creation"],
        "acknowledged updates": acknowledged["update"],
        "acknowledged revocations": acknowledged["revocation"],
        "starts of the service": sum(r.starts for r in system.replicas),
        "peak memory (idle, bound), MiB": memory,
        "logs of the service, KiB": sum(r.log.stat().st_size for r in system.replicas) // 1024,
        "growth of the storage, MiB": f"{run.grown / MEBIBYTE:.1f}",
        "audit events of refused uses (bound)": (
            f"{run.verification.refused_rows} ({run.verification.allowed_rows})"
            if hasattr(run, "verification") else "-"
        ),
        "violations": sum(system.violations.counts.values()),
    }


def markdown(runs, options):
    """Returns the whole report."""
    kinds = [run.system.database.kind for run in runs]
    totals = [summary(run) for run in runs]
    rows = [[name, *(total[name] for total in totals)] for name in totals[0]]
    parts = [
        f"`scripts/chaos.sh --minutes {options.minutes:g} --database {options.database}"
        f" --seed {options.seed}`",
        table(["", *kinds], rows),
        "Faults, and the slowest recovery in seconds after their end (bound 5):",
        fault_table(runs, kinds),
    ]
    violated = [violation_lines(run) for run in runs if run.system.violations.counts]
    parts += ["Violations:", "\n".join(violated)] if violated else ["No violations."]
    return "\n\n".join(parts) + "\n"


def fault_table(runs, kinds):
    """Returns the table of faults by kind."""
    heads = [""]
    for kind in kinds:
        heads += [f"{kind}: times", "slowest"]
    rows = []
    for fault in KINDS["PostgreSQL"]:
        row = [fault]
        for run in runs:
            slowest = run.slowest.get(fault)
            row += [run.faults[fault] or "-", "-" if slowest is None else f"{slowest:.2f}"]
        rows.append(row)
    return table(heads, rows)


def violation_lines(run):
    """Returns a list of a run's violations, with examples."""
    lines = []
    violations = run.system.violations
    for kind, count in sorted(violations.counts.items()):
        lines.append(f"- {run.system.database.kind}: {kind} ({count})")
        lines += [f"  - {example}" for example in violations.examples[kind]]
    return "\n".join(lines)
