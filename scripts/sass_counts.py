#!/usr/bin/env python3
"""Counts what matters in the machine code of GPU kernels and refuses what must not be there.

    sass_counts.py NAME FILE [NAME FILE ...]

FILE is a disassembly (eflow jit compile NAME --arch sm_90a --sass FILE). Prints a row of a Markdown
table for each kernel. FSETP.NAN is part of a maximum that takes four instructions instead of one
FMNMX. Exit status 1 if a kernel uses local memory, if a softmax has no FMNMX, or if an instruction
touches the accumulators or operands of a wgmma product that is in flight.
"""
import re
import sys

INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+([^;]+);")
GROUP_PRODUCT = re.compile(r"HGMMA\.64x(\d+)x\d+\S* R(\d+), (.*)")


def opcode(text):
    words = text.split()
    return words[1] if words[0].startswith("@") else words[0]


def registers(text):
    return {int(n) for n in re.findall(r"\bR(\d+)\b", text)}


def touched_in_flight(instructions):
    """The instructions between a wgmma product and the wait for it that use its registers."""
    sums, operands, bad = set(), set(), []
    for text in instructions:
        product = GROUP_PRODUCT.search(text)
        if product:
            width, first = int(product.group(1)), int(product.group(2))
            sums |= set(range(first, first + width // 2))
            left = re.match(r"R(\d+),", product.group(3))
            if left:
                operands |= set(range(int(left.group(1)), int(left.group(1)) + 4))
        elif "WARPGROUP.DEPBAR" in text:
            sums, operands = set(), set()
        elif registers(text) & sums or registers(text.split(",")[0]) & operands:
            bad.append(text)
    return bad


def main(args):
    if not args or len(args) % 2:
        sys.exit(__doc__)
    failed = False
    print("| kernel | instructions | products | shared memory instructions per product | FMNMX | FSETP.NAN | faults |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, file in zip(args[::2], args[1::2]):
        with open(file, encoding="utf-8") as text:
            instructions = [i.strip() for i in INSTRUCTION.findall(text.read())]
        if not instructions:
            sys.exit(f"{file}: no instructions found; expected nvdisasm's output")

        def count(*prefixes):
            return sum(opcode(i).startswith(prefixes) for i in instructions)

        products = count("HMMA", "HGMMA")
        shared = count("LDS", "STS", "LDGSTS", "STSM", "ATOMS")
        maxima = count("FMNMX")
        faults = []
        if count("LDL", "STL"):
            faults.append("local memory")
        # The constants of attention: d, softmax branch (0: none), ...
        softmax = re.match(r"glga_forward<\w+>\(\d+, [12],", name)
        if softmax and maxima == 0:
            faults.append("no FMNMX")
        in_flight = touched_in_flight(instructions)
        if in_flight:
            faults.append(f"touches registers of a product in flight: {in_flight[0]}")
        failed = failed or bool(faults)
        ratio = f"{shared / products:.2f}" if products else ""
        print(f"| `{name}` | {len(instructions)} | {products} | {ratio} | {maxima} | {count('FSETP.NAN')} | {'; '.join(faults) or 'none'} |")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
