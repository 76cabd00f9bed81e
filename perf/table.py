"""Medians, their spread, and a table of them."""

import statistics

UNITS = {
    "messages_per_s": ("messages/s", 1),
    "connections_per_s": ("connections/s", 1),
    "cpu_ns_per_message": ("ns of CPU a message", -1),
    "bytes_per_connection": ("bytes a connection", -1),
    "bytes_per_subscription": ("bytes a subscription", -1),
    "seconds": ("s", -1),
    "p50_us": ("us p50", -1),
    "p99_us": ("us p99", -1),
    "p99_9_us": ("us p99.9", -1),
    "max_us": ("us max", -1),
}


def shown(number):
    if number >= 1e6:
        return f"{number / 1e6:.2f} M"
    if number >= 1e4:
        return f"{number / 1e3:.1f} k"
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def median_and_spread(values):
    """The median, and how far the quartiles lie from each other, in percent of it."""
    middle = statistics.median(values)
    if len(values) < 3 or middle == 0:
        return middle, None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, 100 * (high - low) / middle


def cell(values):
    if not values:
        return "-"
    middle, spread = median_and_spread(values)
    return shown(middle) if spread is None else f"{shown(middle)} ±{spread / 2:.0f}%"


def ratio(figure, ours, theirs):
    """How many times as good the first is: the median of the rounds' own ratios, since what disturbs
    a round disturbs both."""
    if figure not in UNITS or not ours or not theirs:
        return None
    better = UNITS[figure][1]
    pairs = [(a, b) for a, b in zip(ours, theirs) if a and b]
    return statistics.median(a / b if better > 0 else b / a for a, b in pairs) if pairs else None


def render(head, rows):
    """Markdown, and readable as it is."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |"
             for row in [head, *rows]]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
