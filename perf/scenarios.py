"""What is measured: each scenario is a run of peal-bench, and the figures of it that count.

`{seconds}` and `{rate}` stand for how long a run takes and for a rate that was found out before. Redis
knows channels and no queues, so it has no part in some.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    name: str
    what: str
    arguments: str                 # Of peal-bench.
    figures: tuple = ("messages_per_s", "cpu_ns_per_message")
    redis: str = ""                # Of perf/redis_load; empty: not for redis.
    share_of_maximum: float = 0    # Of what `maximum` moved on the same server: the rate.
    maximum: str = ""
    beside: str = ""               # A second peal-bench, whose latency is a figure of this run.


LATENCY = ("p50_us", "p99_us", "p99_9_us", "cpu_ns_per_message")


def one_to_one(name, size):
    return Scenario(f"1-to-1/{name}", f"one publisher, one subscriber, {name}",
                    f"pubsub --size {size} --duration {{seconds}}s --warmup 300ms",
                    redis=f"--size {size}")


SCENARIOS = [
    one_to_one("0B", 0),
    one_to_one("16B", 16),
    one_to_one("128B", 128),
    one_to_one("1KiB", 1024),
    one_to_one("16KiB", 16384),
    one_to_one("1MiB", 1048576),
    Scenario("1-to-8/128B", "one publisher, eight subscribers of all",
             "pubsub --subs 8 --size 128 --duration {seconds}s --warmup 300ms",
             redis="--size 128 --subs 8"),
    Scenario("1-to-100/128B", "one publisher, a hundred subscribers of all",
             "pubsub --subs 100 --size 128 --duration {seconds}s --warmup 300ms",
             redis="--size 128 --subs 100"),
    Scenario("1-to-1000/128B", "one publisher, a thousand subscribers of all",
             "pubsub --subs 1000 --size 128 --duration {seconds}s --warmup 300ms"),
    Scenario("4-pairs/128B", "four publishers, each with a subscriber of its own",
             "pubsub --pubs 4 --subs 4 --pairs --size 128 --duration {seconds}s --warmup 300ms"),
    Scenario("1000-to-1/128B", "a thousand publishers, one subscriber",
             "pubsub --pubs 1000 --size 128 --duration {seconds}s --warmup 300ms"),
    Scenario("queue-of-8/128B", "one publisher, a queue group of eight",
             "pubsub --subs 8 --queue workers --size 128 --duration {seconds}s --warmup 300ms"),
    Scenario("100k-subjects/16B", "100,000 subjects at random, a wildcard subscriber",
             "pubsub --subjects 100000 --size 16 --duration {seconds}s --warmup 300ms"),
    Scenario("no-interest/16B", "a publisher whom nobody hears",
             "pub --size 16 --duration {seconds}s --warmup 300ms"),
    Scenario("request/1", "request and reply, one at a time",
             "reqreply --size 16 --duration {seconds}s --warmup 300ms", LATENCY),
    Scenario("request/50", "request and reply, fifty requesters",
             "reqreply --pubs 50 --size 16 --duration {seconds}s --warmup 300ms",
             ("messages_per_s", *LATENCY)),
    Scenario("open-loop/10k", "10,000 messages a second, 64 B, each due at its time",
             "latency --rate 10k --size 64 --duration {seconds}s --warmup 300ms", LATENCY),
    Scenario("open-loop/100k", "100,000 messages a second, 128 B",
             "latency --rate 100k --size 128 --duration {seconds}s --warmup 300ms", LATENCY),
    Scenario("open-loop/1M", "a million messages a second, 128 B",
             "latency --rate 1M --size 128 --duration {seconds}s --warmup 300ms", LATENCY),
    Scenario("open-loop/50-percent", "half of what the server moved at 128 B",
             "latency --rate {rate} --size 128 --duration {seconds}s --warmup 300ms", LATENCY,
             share_of_maximum=0.5, maximum="1-to-1/128B"),
    Scenario("open-loop/80-percent", "four fifths of what the server moved at 128 B",
             "latency --rate {rate} --size 128 --duration {seconds}s --warmup 300ms", LATENCY,
             share_of_maximum=0.8, maximum="1-to-1/128B"),
    Scenario("idle/10k", "10,000 idle connections with a subscription each",
             "connections --idle 10000 --duration 1s", ("bytes_per_connection", "connections_per_s")),
    Scenario("subscriptions/1M", "a million subscriptions from ten connections, then all gone at once; "
             "the latency is that of others meanwhile",
             "connections --idle 10 --subscriptions 100000 --duration 1s",
             ("seconds", "bytes_per_subscription", "p50_us", "p99_us", "max_us"),
             beside="latency --rate 1k --size 64 --duration 6s"),
]


def named(patterns):
    """Those whose name contains one of the patterns; all without any. What one needs comes first."""
    if not patterns:
        return list(SCENARIOS)
    wanted = [s for s in SCENARIOS if any(p in s.name for p in patterns)]
    needed = {s.maximum for s in wanted} - {s.name for s in wanted}
    return [s for s in SCENARIOS if s in wanted or s.name in needed]
