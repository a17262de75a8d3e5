"""The table that a run ends with."""

from statistics import median


class Report:
    """Figures as they are measured, and whether they reach their target."""

    def __init__(self):
        self.rows = []

    def at_most(self, name, value, target, unit, note=""):
        self._add(name, f"{value:.3g} {unit}", f"<= {target:.3g} {unit}", value <= target, note)

    def at_least(self, name, value, target, unit, note=""):
        self._add(name, f"{value:.4g} {unit}", f">= {target:.4g} {unit}", value >= target, note)

    def exactly(self, name, values, target, note=""):
        """Counts, which must all be `target`."""
        seen = ", ".join(f"{count:g} ({values.count(count)}x)" for count in sorted(set(values)))
        self._add(name, seen, f"= {target}", median(values) == target, note)

    def info(self, name, text):
        self._add(name, text, "", None, "")

    def _add(self, name, value, target, ok, note):
        self.rows.append((name, value, target, ok))
        verdict = {True: "ok", False: "MISSED", None: ""}[ok]
        print(f"{name:46} {value:>16}  {target:>14}  {verdict:6} {note}".rstrip(), flush=True)

    def missed(self):
        return sum(1 for row in self.rows if row[3] is False)


def in_batches(server, batches, operations):
    """Median over batches of the milliseconds of CPU per operation. `operations` yields one batch at a time as a
    list of functions without arguments."""
    costs = []
    for batch in operations:
        if len(costs) == batches:
            break
        before = server.cpu()
        for operation in batch:
            operation()
        costs.append((server.cpu() - before) / len(batch))
    return median(costs)
