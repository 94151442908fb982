#!/usr/bin/env python3
"""Training speed: Mote beside PyTorch, same model, data, batch, optimizer and threads, in turns.

Run from the root of the repository:  python3 bench/training.py [--runs 5] [--steps 200]

Installs PyTorch into bench/.venv (thrown away with the folder), builds Mote's half
(`cargo build --release --workspace --examples`), and times both in alternating processes, so that a
machine whose speed drifts slows both. Prints a table of medians and of the ratio pair by pair, and
writes docs/results/training-speed.md.
"""
import argparse, json, os, platform, statistics, subprocess, sys, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / "bench" / ".venv"
CASES = [("vae", 64, 8), ("vae", 64, 38), ("flow", 32, 8), ("flow", 32, 1), ("diffusion", 24, 6), ("diffusion", 24, 28)]

PEER = r'''
import json, sys, time, math
import torch
from torch import nn
from torch.nn import functional as F

family, file, length, features, batch, steps, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
torch.set_num_threads(threads)
torch.manual_seed(0)
data = torch.frombuffer(bytearray(open(file, "rb").read()), dtype=torch.float32).view(-1, length, features)

class TimeVae(nn.Module):
    """The same layers: causal convolutions of kernel 4 and stride 2, and back."""
    def __init__(self, hidden=32, latent=8, halvings=3):
        super().__init__()
        self.rows, self.hidden, self.latent = length >> halvings, hidden, latent
        self.down = nn.ModuleList(nn.Conv1d(2 * features if i == 0 else hidden, hidden, 4, stride=2) for i in range(halvings))
        self.posterior = nn.Linear(self.rows * hidden, 2 * latent)
        self.expand = nn.Linear(latent, self.rows * hidden)
        self.up = nn.ModuleList(nn.ConvTranspose1d(hidden, hidden, 4, stride=2) for _ in range(halvings))
        self.mean = nn.Linear(hidden, features)
        self.log_variance = nn.Parameter(torch.zeros(features))
    def loss(self, x, mask):
        h = torch.cat([x, mask], 2).transpose(1, 2)
        for conv in self.down:
            h = F.relu(conv(F.pad(h, (2, 0))))
        m, v = self.posterior(h.flatten(1)).split(self.latent, 1)
        v = v.clamp(-8, 6)
        z = m + (0.5 * v).exp() * torch.randn_like(m)
        h = F.relu(self.expand(z)).view(-1, self.hidden, self.rows)
        for conv in self.up:
            h = F.relu(conv(h)[..., : 2 * h.shape[-1]])
        mean = self.mean(h.transpose(1, 2))
        lv = self.log_variance.clamp(-8, 6)
        nll = (0.5 * ((x - mean) * (-0.5 * lv).exp()) ** 2 + 0.5 * lv + 0.5 * math.log(2 * math.pi)) * mask
        kl = 0.5 * (m * m + v.exp() - v - 1)
        return (nll.sum() + kl.sum()) / mask.sum()

class MaskedLinear(nn.Module):
    def __init__(self, inputs, outputs, mask):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-inputs ** -0.5, inputs ** -0.5))
        self.register_buffer("mask", mask)
    def forward(self, x):
        return F.linear(x, self.weight * self.mask)

class Layer(nn.Module):
    def __init__(self, reverse, hidden=32, convolutions=4):
        super().__init__()
        units = max(hidden, 2 * features)
        rank = torch.arange(features).flip(0) if reverse else torch.arange(features)
        degree = torch.arange(units) % features
        self.past = nn.ModuleList(nn.Conv1d(2 * features if i == 0 else hidden, hidden, 2, dilation=2 ** i) for i in range(convolutions))
        self.present = MaskedLinear(features, units, (rank[None] < degree[:, None]).float())
        self.context = nn.Linear(hidden, units)
        self.from_present = MaskedLinear(units, 2 * features, (degree[None] <= rank.repeat(2)[:, None]).float())
        self.from_past = nn.Linear(hidden, 2 * features)
    def forward(self, x, mask):
        h = F.pad(torch.cat([x, mask], 2), (0, 0, 1, 0))[:, :-1].transpose(1, 2)
        for i, conv in enumerate(self.past):
            y = F.relu(conv(F.pad(h, (2 ** i, 0))))
            h = y if i == 0 else h + y
        h = h.transpose(1, 2)
        units = F.relu(self.present(x) + self.context(h))
        mean, s = (self.from_present(units) + self.from_past(h)).split(features, 2)
        s = 4 * torch.tanh(s / 4)
        return (x - mean) * (-s).exp() * mask, s

class Maf(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Layer(False), Layer(True)])
    def loss(self, x, mask):
        z, total = x, 0
        for layer in self.layers:
            z, s = layer(z, mask)
            total = total + s
        # Normal up to two deviations, exponential beyond.
        size, near = z.abs(), z.abs().clamp(max=2)
        nll = (near * (size - 0.5 * near) + 0.9273934 + total) * mask
        return nll.sum() / mask.sum()

class Block(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.time_norm, self.channel_norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.time_widen, self.time_narrow = nn.Linear(length, 2 * length), nn.Linear(2 * length, length)
        self.context = nn.Linear(hidden, hidden)
        self.channel_widen, self.channel_narrow = nn.Linear(hidden, 2 * hidden), nn.Linear(2 * hidden, hidden)
    def forward(self, h, context):
        x = (self.time_norm(h) + self.context(context)[:, None]).transpose(1, 2)
        h = h + self.time_narrow(F.relu(self.time_widen(x))).transpose(1, 2)
        return h + self.channel_narrow(F.relu(self.channel_widen(self.channel_norm(h))))

class Diffusion(nn.Module):
    """Velocity on the straight path, in the directions of a Gaussian; here, as there, those of standard units."""
    def __init__(self, hidden=64, blocks=3):
        super().__init__()
        self.lift, self.out = nn.Linear(4 * features, hidden), nn.Linear(hidden, features)
        nn.init.zeros_(self.out.weight)
        self.position = nn.Parameter(torch.empty(length, hidden).uniform_(-0.1, 0.1))
        self.blocks = nn.ModuleList(Block(hidden) for _ in range(blocks))
        self.norm, self.moment = nn.LayerNorm(hidden), nn.Linear(16, hidden)
        self.register_buffer("centres", torch.linspace(0, 1, 16))
        self.register_buffer("mean", torch.zeros(length, features))
        self.register_buffer("deviation", torch.ones(length, features))
        self.register_buffer("along", torch.eye(length))
        self.register_buffer("across", torch.eye(features))
    def turn(self, x, along, across):
        return ((x @ across).transpose(1, 2) @ along).transpose(1, 2)
    def loss(self, x, mask):
        time = torch.sigmoid(torch.randn(len(x), 1, 1))
        noise = 1 - time
        inverse = (time ** 2 + noise ** 2).rsqrt()
        state = x * time + torch.randn_like(x) * noise
        shown = torch.zeros_like(x)
        hidden, known = 1 - shown, x * shown
        scale = (time ** 2 * self.deviation ** 2 + noise ** 2).sqrt()
        sine, cosine = time * self.deviation / scale, noise / scale
        whole = state * hidden + known * time
        place = self.turn(whole - self.mean * time, self.along, self.across) / scale
        guess = self.turn(place * sine * self.deviation, self.along.T, self.across.T) + self.mean
        h = self.lift(torch.cat([state * inverse * hidden, guess, known, shown], 2)) + self.position
        context = F.relu(self.moment((-0.5 * ((time[:, 0] - self.centres) * 15) ** 2).exp()))
        for block in self.blocks:
            h = block(h, context)
        velocity = self.turn(self.out(self.norm(h)), self.along, self.across)
        found = self.turn((place * sine + velocity * cosine) * self.deviation, self.along.T, self.across.T) + self.mean
        error = (found - x) / (noise * inverse).clamp_min(1e-3)
        asked = mask * hidden
        return (error * error * asked).sum() / asked.sum()

model = {"vae": TimeVae, "flow": Maf, "diffusion": Diffusion}[family]()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
order = torch.randperm(len(data))
times, first, last = [], None, None
for step in range(steps):
    start = time.perf_counter()
    at = step * batch % (len(data) - batch + 1)
    x = data[order[at : at + batch]]
    loss = model.loss(x, torch.ones_like(x))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    value = loss.item()
    times.append((time.perf_counter() - start) * 1e3)
    first, last = (value if first is None else first), value
warm = sorted(times[len(times) // 5 :])
print(json.dumps({"median_ms": warm[len(warm) // 2], "parameters": sum(p.numel() for p in model.parameters()),
                  "first_loss": first, "last_loss": last, "torch": torch.__version__}))
'''


def peer_python() -> Path:
    python = VENV / "bin" / "python"
    if not python.exists():
        print("making", VENV.relative_to(ROOT), file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)
    return python


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--runs", type=int, default=5, help="pairs of processes for each case")
    arguments.add_argument("--steps", type=int, default=200, help="training steps in a process")
    arguments.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    options = arguments.parse_args()

    python = peer_python()
    subprocess.run(["cargo", "build", "--release", "--quiet", "--workspace", "--examples"], cwd=ROOT, check=True)
    ours = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "examples" / "step_time"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        import array, random
        script = Path(folder) / "peer.py"
        script.write_text(PEER)
        for family, length, features in CASES:
            rng = random.Random(0)
            file = Path(folder) / f"{length}x{features}.f32"
            file.write_bytes(array.array("f", (rng.gauss(0, 1) for _ in range(1024 * length * features))).tobytes())
            for threads in options.threads:
                env = dict(os.environ, RAYON_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
                common = [family, str(file), str(length), str(features), "128", str(options.steps)]
                pairs = []
                for _ in range(options.runs):
                    run = lambda command: json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)
                    pairs.append((run([ours, *common]), run([python, script, *common, str(threads)])))
                ratios = sorted(a["median_ms"] / b["median_ms"] for a, b in pairs)
                median = lambda side: statistics.median(p[side]["median_ms"] for p in pairs)
                row = dict(family=family, length=length, features=features, threads=threads, mote=median(0), torch=median(1),
                           ratio=statistics.median(ratios), low=ratios[0], high=ratios[-1],
                           ours=pairs[0][0]["parameters"], theirs=pairs[0][1]["parameters"], version=pairs[0][1]["torch"])
                rows.append(row)
                print(row, file=sys.stderr)

    lines = ["# Training speed", "",
             "A whole training step (batch, forward, backward, clipping, AdamW), batch 128, beside PyTorch "
             f"{rows[0]['version']} with the same layers, in alternating processes: medians of {options.runs} pairs, and the ratio "
             "Mote / PyTorch pair by pair (below 1 Mote is faster).", "",
             "Made by `python3 bench/training.py" + (f" --steps {options.steps}" if options.steps != 200 else "") + "`.", "",
             "| model | window × features | threads | Mote, ms | PyTorch, ms | ratio (min – max) | weights |", "|---|---|---|---|---|---|---|"]
    for r in rows:
        lines.append(f"| {r['family']} | {r['length']} × {r['features']} | {r['threads']} | {r['mote']:.2f} | {r['torch']:.2f} "
                     f"| {r['ratio']:.2f} ({r['low']:.2f} – {r['high']:.2f}) | {r['ours']:,} / {r['theirs']:,} |")
    lines += ["", f"Machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores, shared with other work. "
              "Mote counts the fixed masks of the flow as weights too.", "",
              "These models train on one thread, also where two are allowed: a step of less than 500 million",
              "multiply-adds is not worth sharing (`crates/mote-learn/src/train/threads.rs`). Pairs far from the median",
              "are from moments when other work filled the machine, which two threads of PyTorch feel most.", ""]
    target = ROOT / "docs" / "results" / "training-speed.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
