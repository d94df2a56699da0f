#!/usr/bin/env python3
"""Prints a Markdown table of the results of reproduce.sh in a folder (ARM-SEED.json, one JSON object per line) and writes
charts/*.json for `eflow plot`."""
import json
import pathlib
import re
import statistics
import sys

# Frechet video distances on Kinetics-700 [arXiv 2603.27086]. Data, features and model sizes differ
# from ours, so only the order of the arms is comparable.
PAPER = {
    "table2": {"softmax": "188.9 (Base 1)", "sana-drop": "456.1 (Base 3)", "glga": "191.3 (Ours 1)", "glga-drop": "189.7 (Ours 2)"},
    "table3": {"linear": "420.8", "window": "390.2", "sum": "352.9", "glga": "325.7"},
    "table4": {"fm": "325.7 (50 steps), 513.8 (4)", "sfm": "347.1 (4)", "pdg": "322.2 (4)"},
}


def text(values):
    """Formats mean and sample standard deviation."""
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
        "gap learned": line["gap"]["learned"],
        "gap needed": line["gap"]["needed"],
        "gap, error": line["gap"]["error"],
    }
    for sample in line["samples"]:
        columns[f"{sample['sampler']} N = {sample['steps']}, relative"] = sample["relative"]
        columns[f"{sample['sampler']} N = {sample['steps']}, squared W2 of moments"] = sample["w2"]
    for sample in line["exact_euler"]:
        columns[f"exact Euler N = {sample['steps']}, relative"] = sample["relative"]
    return columns


def clip_columns(line):
    how = f"{line['sampler']} N = {line['steps']}"
    distance = line["distance"]
    return {
        f"{how}: classified correctly": line["accuracy"],
        f"{how}: Frechet": distance["frechet"],
        f"{how}: frames, dB": distance["frames_db"],
        f"{how}: motion, dB": distance["motion_db"],
    }


def read(folder):
    """Returns {(arm, w): {column: [value per seed]}} in the order of the runs, and the values of held-out clips."""
    rows, floor = {}, {}
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime):
        arm = path.stem.rsplit("-", 1)[0]
        for line in map(json.loads, path.read_text().splitlines()):
            row = rows.setdefault((arm, line.get("w")), {})
            for column, value in (exact_columns if "velocity" in line else clip_columns)(line).items():
                row.setdefault(column, []).append(value)
            if "floor" in line and "frechet" in line["floor"]:
                floor["Frechet"] = line["floor"]["frechet"]
                floor["frames, dB"] = line["floor"]["frames_db"]
                floor["motion, dB"] = line["floor"]["motion_db"]
                floor["classified correctly"] = line["held_out_accuracy"]
    return rows, floor


def write_charts(folder, rows, floor):
    """Writes one chart per quantity; its bars are arms and, for clips, samplers."""
    quantities = {}
    for (arm, w), row in rows.items():
        for column, values in row.items():
            how, _, quantity = column.rpartition(": ")
            if min(values) < 0:
                continue
            name = " ".join([arm, how] if how else [arm] + ([f"w = {w:g}"] if len({w for _, w in rows}) > 1 else []))
            quantities.setdefault(quantity, []).append({"name": name, "values": values})
    charts = folder / "charts"
    charts.mkdir(exist_ok=True)
    for quantity, bars in quantities.items():
        lines = [{"name": "held-out clips", "value": floor[quantity]}] if quantity in floor else []
        name = re.sub("[^a-z0-9]+", "-", quantity.lower()).strip("-")
        chart = {"title": f"{folder.name}: {quantity}", "bars": bars, "lines": lines}
        (charts / f"{name}.json").write_text(json.dumps(chart))


def print_rows(rows, paper):
    """Prints one row per quantity and one column per arm; a cell is empty if the arm lacks the quantity."""
    scales = len({w for _, w in rows}) > 1
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    head = ["quantity"] + [arm + (f", w = {w:g}" if scales else "") for arm, w in rows]
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for column in columns:
        cells = [column] + [text(row[column]) if column in row else "" for row in rows.values()]
        print("| " + " | ".join(cells) + " |")
    if paper:
        print("| the paper's FVD, other data and features | " + " | ".join(paper.get(arm, "") for arm, _ in rows) + " |")


def main(folder):
    rows, floor = read(folder)
    if not rows:
        sys.exit(f"no results in {folder}")
    seeds = sorted({len(values) for row in rows.values() for values in row.values()})
    print(f"# {folder.name}\n\nMean ± standard deviation over {' to '.join(map(str, seeds))} seeds.\n")
    print_rows(rows, PAPER.get(folder.name, {}))
    if floor:
        print("\nThe same number of held-out clips in place of samples: " + ", ".join(f"{k} {v:.4g}" for k, v in floor.items()) + ".")
    write_charts(folder, rows, floor)
    print("\nCommands:\n")
    for line in (folder / "commands.txt").read_text().splitlines():
        print("    " + line)


main(pathlib.Path(sys.argv[1]))
