"""Medians of paired rounds, and how they are printed."""

import statistics


def spread(values, digits=1):
    """'median (least-most)', or '-' of nothing."""
    if not values:
        return "-"
    return (f"{statistics.median(values):.{digits}f} "
            f"({min(values):.{digits}f}-{max(values):.{digits}f})")


def ratios(cell, rounds, rival):
    """Of each round in which both were measured: the rival's cycles over switchd's, or switchd's
    bytes a second over the rival's."""
    if cell.compares_bytes:
        return [each["switchd"]["bytes_per_second"] / each[rival]["bytes_per_second"]
                for each in rounds if "switchd" in each and rival in each
                and each[rival]["bytes_per_second"]]
    key = "cycles_a_frame"
    return [each[rival][key] / each["switchd"][key] for each in rounds
            if rival in each and each[rival].get(key) and each["switchd"].get(key)]


def frames(rounds, name):
    """Of each round: what it delivered over what switchd did."""
    return [each[name]["bytes_per_second"] / each["switchd"]["bytes_per_second"] for each in rounds
            if name in each and each.get("switchd", {}).get("bytes_per_second")]


def values(rounds, name, key):
    return [each[name][key] for each in rounds if name in each and each[name].get(key) is not None]


def marks(rounds, name):
    found = [each[name] for each in rounds if name in each]
    text = []
    idle = sum(1 for result in found if result["unsaturated"])
    if idle:
        text.append(f"unsaturated {idle}/{len(found)}")
    if any(result["wrong"] for result in found):
        text.append("WRONG FRAMES")
    return ", ".join(text)


def summary(cell, rounds, name):
    sent = sum(values(rounds, name, "sent"))
    delivered = sum(values(rounds, name, "delivered"))
    lost = sum(values(rounds, name, "lost"))
    return {
        "cycles_a_frame": spread(values(rounds, name, "cycles_a_frame")),
        "cycles_a_delivered": spread(values(rounds, name, "cycles_a_delivered")),
        "million_frames_a_second":
            spread([value / 1e6 for value in values(rounds, name, "sent_per_second")], 2),
        "gigabytes_a_second":
            spread([value / 1e9 for value in values(rounds, name, "bytes_per_second")], 2),
        "lost_percent": f"{100 * lost / (lost + delivered):.2f}" if lost + delivered else "-",
        "sent": sent,
        "ratio": "1" if name == "switchd" else spread(ratios(cell, rounds, name), 2),
        "delivered_ratio": "1" if name == "switchd" else spread(frames(rounds, name), 3),
        "marks": marks(rounds, name),
    }


def rows_of(cell, rounds):
    rows = [["", "cycles a frame", "a delivered frame", "Mframes/s", "Gbytes/s", "lost %",
             "switchd moves times the bytes" if cell.compares_bytes else "of switchd's cycles",
             "of what it delivers", ""]]
    for name in dict.fromkeys(name for each in rounds for name in each):
        line = summary(cell, rounds, name)
        rows.append([name, line["cycles_a_frame"], line["cycles_a_delivered"],
                     line["million_frames_a_second"], line["gigabytes_a_second"],
                     line["lost_percent"], line["ratio"],
                     line["delivered_ratio"], line["marks"]])
    return rows


def cell_text(cell, rounds):
    trips = [result["round_trip_ns"] for each in rounds for result in each.values()
             if result.get("round_trip_ns")]
    rows = rows_of(cell, rounds)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"{cell.title()}   ({len(rounds)} rounds, CPU round trip {spread(trips, 0)} ns)"]
    lines += ["  " + "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip()
              for row in rows]
    return "\n".join(lines)
