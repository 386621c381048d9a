# SPDX-License-Identifier: MIT
"""The table, the CSV and the bar chart of bench.py. In: a Cell for each item and column; out: text, results.csv, results.svg."""
import collections
import csv
import html
import math
import os

# seconds: what ratios are made of, None if there is a fault; cpu, wall in seconds; rss in KiB; fault: text or
# None; message: the last line on stderr
Cell = collections.namedtuple("Cell", "seconds cpu wall rss fault message")

COLOURS = ["#8a8f98", "#b7bcc4", "#1f6feb"]


def duration(seconds):
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "us"), (1, 1e3, "ms")):
        if seconds < limit:
            return "%.3g %s" % (seconds * factor, unit) if seconds * factor < 999.5 else "%.0f %s" % (
                seconds * factor, unit)
    return "%.2f s" % seconds


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else None


class Table:
    def __init__(self, columns, metric, path):
        self.columns, self.metric, self.path = columns, metric, path
        self.rows = []                  # (group, name, {column: Cell})
        self.faults = []

    def head(self):
        print("Time: %s of the process and its children, median; x = times native." % self.metric)
        print("%-6s %-13s" % ("group", "item") + "".join("%20s" % c for c in self.columns), flush=True)

    def ratio(self, cells, column):
        native, cell = cells[self.columns[0]].seconds, cells[column].seconds
        return cell / native if native and cell else None

    def add(self, group, name, cells):
        self.rows.append((group, name, cells))
        line = "%-6s %-13s" % (group, name)
        for column in self.columns:
            cell = cells[column]
            if cell.fault:
                line += "%20s" % cell.fault
                if cell.fault != "skipped":
                    self.faults.append("%s:%s on %s: %s %s" % (group, name, column, cell.fault, cell.message[:100]))
            elif column == self.columns[0]:
                line += "%20s" % duration(cell.seconds)
            else:
                ratio = self.ratio(cells, column)
                line += "%11s %7.2fx" % (duration(cell.seconds), ratio) if ratio else "%11s        -" % duration(cell.seconds)
        print(line, flush=True)
        self.write_csv()

    def means(self):
        """[(group, items, items that count, {column: mean})]: over those items that every column finished."""
        for group in list(dict.fromkeys(g for g, _, _ in self.rows)):
            cells = [c for g, _, c in self.rows if g == group]
            whole = [c for c in cells if all(c[column].seconds for column in self.columns)]
            yield group, len(cells), len(whole), {
                column: geometric_mean([self.ratio(c, column) for c in whole]) for column in self.columns}

    def finish(self):
        if not self.rows:
            return
        print("\nGeometric means of the ratios to native")
        print("%-20s" % "group (items)" + "".join("%20s" % c for c in self.columns))
        for group, count, whole, means in self.means():
            label = "%s (%d)" % (group, count) if whole == count else "%s (%d of %d)" % (group, whole, count)
            print("%-20s" % label + "".join("%19.2fx" % means[c] if means[c] else "%20s" % "-" for c in self.columns))
        if self.faults:
            print("\nWrong or failed:\n  " + "\n  ".join(self.faults))
        self.write_svg()
        print("\n%s.csv, %s.svg" % (os.path.relpath(self.path), os.path.relpath(self.path)))

    def write_csv(self):
        with open(self.path + ".csv", "w", newline="") as f:
            out = csv.writer(f)
            out.writerow(["group", "item", "column", "cpu_s", "wall_s", "rss_kib", "ratio", "fault"])
            for group, name, cells in self.rows:
                for column in self.columns:
                    c, ratio = cells[column], self.ratio(cells, column)
                    out.writerow([group, name, column, "%.6g" % c.cpu, "%.6g" % c.wall, int(c.rss),
                                  "%.4g" % ratio if ratio else "", c.fault or ""])

    def write_svg(self):
        """Horizontal bars on a logarithmic axis, one block per group, its mean first."""
        shown = self.columns[1:]
        bar, gap, left, width, top = 7, 7, 150, 620, 60
        lines = []                      # (label, {column: ratio}, heading?)
        for group, _, whole, means in self.means():
            lines.append((group, means if whole else {}, True))
            lines += [(n, {c: self.ratio(cells, c) for c in shown}, False) for g, n, cells in self.rows if g == group]
        ratios = [r for _, row, _ in lines for c, r in row.items() if r and c in shown]
        low, high = min([0.5] + ratios), max([10] + ratios) * 1.05

        def x(ratio):
            return left + width * math.log(ratio / low) / math.log(high / low)
        step = bar * len(shown) + gap
        extra = 10
        height = top + step * len(lines) + extra * sum(heading for _, _, heading in lines) + 20
        out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">'
               % (left + width + 70, height), '<rect width="100%" height="100%" fill="#ffffff"/>',
               '<text x="10" y="18" font-size="14">Time as a multiple of native (%s; less is better)</text>'
               % html.escape(self.metric)]
        for i, column in enumerate(shown):
            colour = COLOURS[-1] if column == shown[-1] else COLOURS[i % 2]
            out.append('<rect x="%d" y="28" width="10" height="10" fill="%s"/><text x="%d" y="37">%s</text>'
                       % (left + 130 * i, colour, left + 130 * i + 14, html.escape(column)))
        for tick in (0.5, 1, 2, 5, 10, 20, 50, 100, 200):
            if low <= tick <= high:
                out.append('<path d="M%.1f %dV%d" stroke="%s"/><text x="%.1f" y="%d" text-anchor="middle" fill="#555">%g</text>'
                           % (x(tick), top - 4, height - 15, "#444" if tick == 1 else "#ddd", x(tick), top - 7, tick))
        y = top
        for label, row, heading in lines:
            y += extra if heading else 0
            style = ' font-weight="bold"' if heading else ""
            out.append('<text x="%d" y="%.1f" text-anchor="end"%s>%s</text>'
                       % (left - 8, y + bar * len(shown) / 2 + 4, style, html.escape(label + (", mean" if heading else ""))))
            for i, column in enumerate(shown):
                ratio = row.get(column)
                if not ratio:
                    continue
                colour = COLOURS[-1] if column == shown[-1] else COLOURS[i % 2]
                start, end = sorted((x(1), x(ratio)))
                out.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"%s/>'
                           % (start, y + bar * i, max(end - start, 1), bar - 1, colour, "" if heading else ' opacity="0.75"'))
                out.append('<text x="%.1f" y="%.1f" font-size="8" fill="#333">%.2f</text>'
                           % (end + 3, y + bar * i + bar - 1, ratio))
            y += step
        out.append("</svg>")
        with open(self.path + ".svg", "w") as f:
            f.write("\n".join(out) + "\n")
