"""Runs steps, remembers how they went, and prints a table of them."""

import time
import traceback


class NotHere(Exception):
    """The step has no meaning in this column."""


class Table:
    def __init__(self, columns):
        self.columns = columns
        self.rows = {}
        self.failed = 0
        self.passed = 0
        self.broken = set()

    def run(self, column, step, *arguments):
        """Runs one step. After `needed` ones fail, those after them in the column are left out."""
        name = step.__name__.replace("_", " ")
        row = self.rows.setdefault(name, {})
        if column in self.broken:
            row[column] = "-"
            return
        begun = time.monotonic()
        try:
            step(*arguments)
            row[column] = "ok"
            self.passed += 1
        except NotHere:
            row[column] = ""
        except Exception as error:  # a step fails by raising anything
            row[column] = "FAIL"
            self.failed += 1
            place = traceback.extract_tb(error.__traceback__)
            lines = " < ".join(f"{frame.name}:{frame.lineno}" for frame in place[:0:-1])
            print(f"FAIL [{column}] {name}: {type(error).__name__}: {error}\n     at {lines}", flush=True)
            if getattr(step, "needed", False):
                self.broken.add(column)
        took = time.monotonic() - begun
        if took > 20:
            print(f"slow [{column}] {name}: {took:.0f} s", flush=True)

    def show(self):
        width = max(map(len, self.rows))
        print("\n" + " " * width, *(f"{column:>6}" for column in self.columns))
        for name, row in self.rows.items():
            print(f"{name:<{width}}", *(f"{row.get(column, ''):>6}" for column in self.columns))
        left_out = sum(state == "-" for row in self.rows.values() for state in row.values())
        print(f"\n{self.passed} passed, {self.failed} failed" + (f", {left_out} left out after them" if left_out else ""))


def needed(step):
    """Marks a step without which those after it make no sense."""
    step.needed = True
    return step
