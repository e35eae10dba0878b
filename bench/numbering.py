"""The numbering plan and the reading of numbers: ns a number, beside phonenumbers.

python bench/numbering.py [--json FILE] [--quick] [--seed N]
"""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import phonenumbers
from _report import Report, arguments, interleaved, seconds_of
from phonenumbers import PhoneMetadata
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from interceptor.engine.number import keys_of
from interceptor.engine.plan import NumberingPlan
from interceptor.numbering import load_plan
from interceptor.numbering.cache import build_tables


def worldwide(rng: random.Random, n: int) -> list[str]:
    """E.164 digits: an example of any region and type with its last digits drawn anew."""
    examples = []
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        for region in regions:
            metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
            for name in ("fixed_line", "mobile", "toll_free", "premium_rate", "voip"):
                desc = getattr(metadata, name)
                if desc is not None and desc.example_number:
                    examples.append(f"{code}{desc.example_number}")
    drawn = []
    for _ in range(n):
        digits = rng.choice(examples)
        kept = rng.randrange(3, len(digits))
        drawn.append(digits[:kept] + "".join(rng.choices("0123456789", k=len(digits) - kept)))
    return drawn


def chinese_mobiles(rng: random.Random, n: int) -> list[str]:
    return [f"861{rng.choice('3456789')}{rng.randrange(10**9):09d}" for _ in range(n)]


def packed(texts: Sequence[str]) -> tuple[bytes, npt.NDArray[np.int64]]:
    raw = [text.encode() for text in texts]
    return b"".join(raw), np.cumsum([0, *map(len, raw)], dtype=np.int64)


def classify(report: Report, plan: NumberingPlan, numbers: dict[str, list[str]]) -> None:
    report.section("E.164 digits -> valid, region, type (time of the thread)")
    variants: dict[str, Callable[[], float]] = {}

    def timed(
        work: Callable[[npt.NDArray[np.bytes_]], object], array: npt.NDArray[np.bytes_], n: int
    ) -> Callable[[], float]:
        return lambda: seconds_of(lambda: work(array), clock=time.thread_time) / n * 1e9

    for name, texts in numbers.items():
        array = np.array([t.encode() for t in texts], "S16")
        variants[f"{name}, each after the answer before it"] = timed(plan.classify_in_turn, array, len(texts))
        variants[f"{name}, as an array"] = timed(plan.classify_many, array, len(texts))
    times = interleaved(variants, rounds=report.rounds(15, quick=5))
    for name, samples in times.items():
        report.figure(name, samples, "ns a number")
    for name in times:
        report.promise(f"{name}: at most 60 ns", median(times[name]), 60, "ns a number")


def read(report: Report, plan: NumberingPlan, numbers: list[str]) -> None:
    report.section("numbers as signalled -> E.164, valid, region, type, key (time of the thread)")
    dresses = {
        "+8613800138000": [f"+{n}" for n in numbers],
        "sip:+8613800138000@host;user=phone": [
            f"sip:+{n}@sbc1.carrier.example.net;user=phone" for n in numbers
        ],
        '"Bob" <sip:+8613800138000@host>;tag=...': [
            f'"Bob" <sip:+{n}@sbc1.carrier.example.net>;tag=8f2c' for n in numbers
        ],
        "tel:+86-138-0013-8000": [f"tel:+{n[:2]}-{n[2:5]}-{n[5:9]}-{n[9:]}" for n in numbers],
        "008613800138000": [f"00{n}" for n in numbers],
        "13800138000": [n[2:] for n in numbers],
    }
    variants: dict[str, Callable[[], float]] = {}
    for name, texts in dresses.items():
        data, offsets = packed(texts)

        def timed(data: bytes = data, offsets: npt.NDArray[np.int64] = offsets) -> float:
            return (
                seconds_of(lambda: keys_of(plan, "CN", data, offsets), clock=time.thread_time)
                / len(numbers)
                * 1e9
            )

        variants[name] = timed

    few = numbers[: 2_000 if report.args.quick else 10_000]

    def parsed() -> float:
        def work() -> None:
            for number in few:
                phonenumbers.parse("+" + number)

        return seconds_of(work, clock=time.thread_time) / len(few) * 1e9

    def judged() -> float:
        def work() -> None:
            for text in few:
                number = phonenumbers.parse("+" + text)
                phonenumbers.is_valid_number(number)
                phonenumbers.region_code_for_number(number)
                phonenumbers.number_type(number)

        return seconds_of(work, clock=time.thread_time) / len(few) * 1e9

    variants["phonenumbers.parse"] = parsed
    variants["phonenumbers.parse, is_valid, region, type"] = judged
    times = interleaved(variants, rounds=report.rounds(9, quick=3))
    for name, samples in times.items():
        report.figure(name, samples, "ns a number")
    ours = times["+8613800138000"]
    report.ratio("phonenumbers.parse against ours", times["phonenumbers.parse"], ours)
    report.ratio(
        "its parse, valid, region, type against ours",
        times["phonenumbers.parse, is_valid, region, type"],
        ours,
    )


def start(report: Report) -> None:
    report.section("start")
    report.figure("building the tables", seconds_of(build_tables), "s")
    with TemporaryDirectory() as name:
        folder = Path(name)
        load_plan(folder)
        loads = [seconds_of(lambda: load_plan(folder)) * 1e3 for _ in range(20)]
    report.promise("loading them from the cache: at most 100 ms", median(loads), 100, "ms")


def main() -> None:
    args = arguments(__doc__)
    n = 100_000 if args.quick else 1_000_000
    report = Report("numbering", args, numbers=n)
    rng = random.Random(args.seed)
    # The metadata's expressions compiled once: phonenumbers at its best.
    getattr(phonenumbers, "enable_pattern_cache", lambda: None)()
    start(report)
    plan = load_plan()
    report.promise("all tables", plan.nbytes / 1000, 400, "kB")
    mobiles = chinese_mobiles(rng, n)
    classify(report, plan, {"mobiles of China": mobiles, "the world's": worldwide(rng, n)})
    read(report, plan, mobiles)
    report.close()


if __name__ == "__main__":
    main()
