#!/usr/bin/env python3
"""Makes a Markdown table of the results that reproduce.sh left in a folder: ARM-SEED.json, one JSON object a line."""
import json
import pathlib
import statistics
import sys


def text(values):
    """Mean and sample standard deviation."""
    mean = statistics.fmean(values)
    if len(values) == 1:
        return f"{mean:.4g}"
    return f"{mean:.4g} ± {statistics.stdev(values):.2g}"


def exact_columns(line):
    columns = {
        "E_vel(0.5), relative": next(at["relative"] for at in line["velocity"] if at["t"] == 0.5),
        "E_map(1, 0), relative": next(at["relative"] for at in line["map"] if (at["t"], at["s"]) == (1, 0)),
        "defect, random": line["defect"]["random"],
        "defect, 1 → l → 0": line["defect"]["endpoint"],
    }
    for sample in line["samples"]:
        columns[f"{sample['sampler']} N = {sample['steps']}, relative"] = sample["relative"]
    return columns


def read(folder):
    """{(arm, w): {column: [value of each seed]}}, in the order in which the arms were run."""
    rows = {}
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime):
        arm = path.stem.rsplit("-", 1)[0]
        for line in map(json.loads, path.read_text().splitlines()):
            row = rows.setdefault((arm, line.get("w")), {})
            for column, value in exact_columns(line).items():
                row.setdefault(column, []).append(value)
    return rows


def main(folder):
    rows = read(folder)
    if not rows:
        sys.exit(f"no results in {folder}")
    scales = len({w for _, w in rows}) > 1
    first = next(iter(rows.values()))
    seeds = len(next(iter(first.values())))
    print(f"# {folder.name}\n\nMean ± standard deviation over {seeds} seeds.\n")
    head = ["arm"] + ["w"] * scales + list(first)
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for (arm, w), row in rows.items():
        cells = [arm] + [f"{w:g}"] * scales + [text(values) for values in row.values()]
        print("| " + " | ".join(cells) + " |")
    print("\nCommands:\n")
    for line in (folder / "commands.txt").read_text().splitlines():
        print("    " + line)


main(pathlib.Path(sys.argv[1]))
