"""Writes the golden values for generated tables in mote-eval.

Made with Python 3.11.7 and the packages that `make_golden_generation.py` names; run it in the same
environment. All random inputs come from numpy.random.default_rng with the seed written at each case.
"""

import json
import pathlib

import numpy as np
import pandas as pd
from sdmetrics.column_pairs import ContingencySimilarity, CorrelationSimilarity
from sdmetrics.reports.single_table import QualityReport
from sdmetrics.single_column import KSComplement, TVComplement

HERE = pathlib.Path(__file__).parent


def table(rng, rows, lean, constant):
    x = rng.normal(lean, 1 + lean, size=rows)
    category = (x + rng.normal(size=rows) > 0.4).astype(int) + (rng.uniform(size=rows) < 0.2)
    return pd.DataFrame({
        "a": np.round(x, 2),
        "b": np.round(0.7 * x + rng.exponential(size=rows), 2),
        "c": category,
        "d": rng.choice([3, 5, 8], p=[0.6 - lean / 2, 0.3, 0.1 + lean / 2], size=rows),
        "e": np.full(rows, 1.5) if constant else np.round(rng.uniform(size=rows), 1),
    })


def case(seed, rows, synthetic_rows, lean, constant):
    rng = np.random.default_rng(seed)
    real, synthetic = table(rng, rows, 0.0, constant), table(rng, synthetic_rows, lean, constant)
    kinds = ["numerical", "numerical", "categorical", "categorical", "numerical"]
    metadata = {"columns": {k: {"sdtype": t} for k, t in zip("abcde", kinds)}}
    report = QualityReport()
    report.generate(real, synthetic, metadata, verbose=False)
    pairs = report.get_details("Column Pair Trends")
    single = {
        "ks": KSComplement.compute(real["a"], synthetic["a"]),
        "tv": TVComplement.compute(real["d"], synthetic["d"]),
        "correlation": CorrelationSimilarity.compute(real[["a", "b"]], synthetic[["a", "b"]]),
        "contingency": ContingencySimilarity.compute(real[["c", "d"]], synthetic[["c", "d"]]),
    }
    return {
        "kinds": kinds, "real": real.to_numpy().T.tolist(),
        "synthetic": synthetic.to_numpy().T.tolist(), **single,
        "shapes": report.get_details("Column Shapes")["Score"].tolist(),
        "pairs": {f"{a}{b}": None if np.isnan(s) else s for a, b, s in
                  zip(pairs["Column 1"], pairs["Column 2"], pairs["Score"])},
        "properties": report.get_properties()["Score"].tolist(), "overall": report.get_score(),
    }


text = json.dumps([case(120, 60, 60, 0.0, False), case(121, 50, 80, 0.4, False),
                   case(122, 40, 25, 0.8, True)], separators=(",", ":"))
(HERE / "table.json").write_text(text + "\n")
print(f"table.json: {len(text)} bytes")
