"""Many of something: commands, subscriptions, subjects, groups, subscribers."""

from scenarios.scene import check, scenario
from wire import Connection


@scenario("many: ten thousand commands in one write, answered in order")
def many_commands(scene):
    subject = scene.subject
    connection = scene.connect()
    sent, expected = [b"SUB %s 1\r\n" % subject], []
    for number in range(10_000):
        payload = b"%d" % number
        if number % 10 == 9:
            sent.append(b"PING\r\n")
            expected.append(b"PONG\r\n")
        else:
            sent.append(b"PUB %s %d\r\n%s\r\n" % (subject, len(payload), payload))
            expected.append(b"MSG %s 1 %d\r\n%s\r\n" % (subject, len(payload), payload))
    connection.send(b"".join(sent))
    connection.expect(b"".join(expected))
    connection.fence()


@scenario("many: ten thousand subscriptions of one connection on one subject")
def many_subscriptions_one_subject(scene):
    subject, count = scene.subject, 10_000
    connection = scene.connect()
    connection.send(b"".join(b"SUB %s %d\r\n" % (subject, sid) for sid in range(count)))
    connection.fence()
    scene.connect().send(b"PUB %s 1\r\nx\r\n" % subject)
    sids = set()
    for _ in range(count):
        sids.add(connection.expect_line(rb"MSG \S+ (\d+) 1").group(1))
        connection.expect(b"x\r\n")
    check(len(sids) == count, f"{len(sids)} of {count} subscriptions got the message")
    connection.fence()


@scenario("many: every way to write stars for twelve tokens")
def many_wildcards(scene):
    tokens = 12
    connection = scene.connect()
    subs = []
    for mask in range(1 << tokens):
        filter_tokens = [b"*" if mask >> at & 1 else b"t" for at in range(tokens)]
        subs.append(b"SUB %s.%s %d\r\n" % (scene.subject, b".".join(filter_tokens), mask))
    connection.send(b"".join(subs))
    connection.fence()
    subject = scene.subject + b".t" * tokens
    connection.send(b"PUB %s 1\r\nx\r\nPING\r\n" % subject)
    seen = set()
    for _ in range(1 << tokens):
        seen.add(connection.expect_line(rb"MSG \S+ (\d+) 1").group(1))
        connection.expect(b"x\r\n")
    check(len(seen) == 1 << tokens, f"{len(seen)} of {1 << tokens} filters matched")
    connection.expect(b"PONG\r\n")


@scenario("many: ten thousand queue groups on one subject")
def many_groups(scene):
    subject, count = scene.subject, 10_000
    connection = scene.connect()
    connection.send(b"".join(b"SUB %s g%d %d\r\n" % (subject, at, at) for at in range(count)))
    connection.fence()
    scene.connect().send(b"PUB %s 1\r\nx\r\n" % subject)
    sids = set()
    for _ in range(count):
        sids.add(connection.expect_line(rb"MSG \S+ (\d+) 1").group(1))
        connection.expect(b"x\r\n")
    check(len(sids) == count, f"{len(sids)} of {count} groups got the message")
    connection.fence()


@scenario("many: twenty thousand subjects, each used once")
def many_subjects(scene):
    subject, count = scene.subject, 20_000
    connection = scene.connect()
    connection.send(b"SUB %s.*.x 1\r\n" % subject)
    connection.fence()
    publisher = scene.connect()
    publisher.send(b"".join(b"PUB %s.%d.x 1\r\na\r\n" % (subject, at) for at in range(count)))
    connection.expect(b"".join(b"MSG %s.%d.x 1 1\r\na\r\n" % (subject, at)
                               for at in range(count)))
    connection.fence()


@scenario("many: SUB and UNSUB of one sid in turn, with a message in each state")
def many_unsubs(scene):
    subject, count = scene.subject, 5000
    connection = scene.connect()
    round_trip = (b"SUB %s 1\r\nPUB %s 1\r\na\r\nUNSUB 1\r\nPUB %s 1\r\nb\r\n" %
                  (subject, subject, subject))
    connection.send(round_trip * count)
    connection.expect(b"MSG %s 1 1\r\na\r\n" % subject * count)
    connection.fence()


@scenario("many: a hundred thousand subscriptions and a reset leave others in peace")
def many_subscriptions_reset(scene):
    subject = scene.subject
    bystander = scene.connect()
    heavy = scene.connect()
    heavy.send(b"".join(b"SUB %s.%d.a 1%d\r\n" % (subject, at, at) for at in range(100_000)))
    heavy.fence()
    heavy.reset()
    for _ in range(20):
        bystander.fence()
    bystander.send(b"SUB %s.5.a 1\r\nPUB %s.5.a 1\r\nx\r\n" % (subject, subject))
    bystander.expect(b"MSG %s.5.a 1 1\r\nx\r\n" % subject)


@scenario("many: fifty subscribers, a thousand messages each")
def many_subscribers(scene):
    subject, count = scene.subject, 1000
    subscribers = [scene.connect() for _ in range(50)]
    for subscriber in subscribers:
        subscriber.send(b"SUB %s.* 7\r\n" % subject)
        subscriber.fence()
    payloads = [b"%07d" % at for at in range(count)]
    scene.connect().send(b"".join(b"PUB %s.a 7\r\n%s\r\n" % (subject, p) for p in payloads))
    expected = b"".join(b"MSG %s.a 7 7\r\n%s\r\n" % (subject, p) for p in payloads)
    for subscriber in subscribers:
        subscriber.expect(expected)
    for subscriber in subscribers:
        subscriber.fence()


def members_of_group(scene, subject, count):
    members = [scene.connect() for _ in range(count)]
    for member in members:
        member.send(b"SUB %s g 1\r\n" % subject)
        member.fence()
    return members


def burst_to(publisher, subject, count):
    publisher.send(b"PUB %s 1\r\nx\r\n" % subject * count)
    publisher.fence()


def count_until_pong(connection, line):
    """How many messages with this line came, and that nothing else did."""
    connection.send(b"PING\r\n")
    count = 0
    while (head := connection.read_line()) != b"PONG\r\n":
        check(head == line, f"{head} is not {line}")
        check(connection.read_line() == b"x\r\n", "not what was said")
        count += 1
    return count


@scenario("many: two members of a group share fairly")
def many_to_a_group(scene):
    subject, count = scene.subject, 2000
    members = members_of_group(scene, subject, 2)
    burst_to(scene.connect(), subject, count)
    shares = [count_until_pong(member, b"MSG %s 1 1\r\n" % subject) for member in members]
    check(sum(shares) == count, f"{shares} is not {count} in all")
    # Six standard deviations of a fair coin thrown 2000 times are 134.
    check(min(shares) > count // 2 - 134, f"shares of {shares} are not fair")


@scenario("many: five members of a group share a burst, each in the order of its publisher")
def many_in_order_to_a_group(scene):
    subject, count = scene.subject, 2000
    members = members_of_group(scene, subject, 5)
    publisher = scene.connect()
    publisher.send(b"".join(b"PUB %s 4\r\n%04d\r\n" % (subject, number) for number in range(count)))
    publisher.fence()
    seen = []
    for member in members:
        member.send(b"PING\r\n")
        line, own = b"MSG %s 1 4\r\n" % subject, []
        while (head := member.read_line()) != b"PONG\r\n":
            check(head == line, f"{head} is no message of the burst")
            own.append(int(member.read_line()))
        check(own == sorted(own), "a member got its messages out of order")
        # Six standard deviations below a fifth.
        check(len(own) > 400 - 108, f"{len(own)} is not a fair share of {count}")
        seen += own
    check(sorted(seen) == list(range(count)), "not each message came once")


@scenario("many: bursts go on when the workers of a group have gone, and others have come")
def bursts_without_workers(scene):
    subject, publisher = scene.subject, scene.connect()
    for _ in range(4):
        workers = members_of_group(scene, subject, 4)
        burst_to(publisher, subject, 100)
        shares = [count_until_pong(worker, b"MSG %s 1 1\r\n" % subject) for worker in workers]
        check(sum(shares) == 100, f"{shares} is not 100 in all")
        for worker in workers:
            worker.send(b"UNSUB 1\r\n")
            worker.fence()
            worker.close()
        others = [scene.connect() for _ in range(8)]
        for other in others:
            other.send(b"SUB %s.else 1\r\n" % subject)
            other.fence()
        burst_to(publisher, subject, 400)
        for other in others:
            check(count_until_pong(other, b"") == 0, "a message for nobody was given to somebody")
            other.close()


@scenario("many: two plain subscribers in the place of two workers get all of a burst, both")
def subscribers_for_workers(scene):
    subject, publisher = scene.subject, scene.connect()
    line = b"MSG %s 1 1\r\n" % subject
    readers = members_of_group(scene, subject, 2)
    burst_to(publisher, subject, 200)
    shares = [count_until_pong(reader, line) for reader in readers]
    check(sum(shares) == 200, f"{shares} is not 200 in all")
    for reader in readers:
        reader.send(b"UNSUB 1\r\nSUB %s 1\r\n" % subject)
        reader.fence()
    burst_to(publisher, subject, 200)
    for reader in readers:
        check(count_until_pong(reader, line) == 200, "a plain subscriber did not get all")


@scenario("many: a member of a group that wants a maximum, or has a long sid, has a fair share")
def odd_members(scene):
    count = 2000
    for number, (sid, more) in enumerate(((b"1", b"UNSUB 1 1000000\r\n"), (b"s" * 40, b""))):
        subject = scene.subject + b".%d" % number
        members = [scene.connect() for _ in range(2)]
        lines = [b"MSG %s 1 1\r\n" % subject, b"MSG %s %s 1\r\n" % (subject, sid)]
        members[0].send(b"SUB %s g 1\r\n" % subject)
        members[1].send(b"SUB %s g %s\r\n%s" % (subject, sid, more))
        for member in members:
            member.fence()
        burst_to(scene.connect(), subject, count)
        shares = [count_until_pong(*each) for each in zip(members, lines)]
        check(sum(shares) == count, f"{shares} is not {count} in all")
        check(min(shares) > count // 2 - 134, f"shares of {shares} are not fair")


@scenario("many: over the memory budget who subscribes to long filters goes, not who reads slowly",
          alone=True, slow=True, tags=["peal"],
          config='memory_budget: 48MB\nmax_pending: 32MB\nwrite_deadline: "1m"')
def long_filters(scene):
    subject = scene.subject
    slow = Connection.connected(scene.server.port, receive_bytes=8192)
    slow.send(b"SUB %s 1\r\n" % subject)
    slow.fence()
    publisher = scene.connect()
    payload = b"x" * 60_000
    publisher.send(b"PUB %s %d\r\n%s\r\n" % (subject, len(payload), payload) * 250)
    publisher.fence()

    greedy = scene.connect()
    tail = b".x" * 1990 + b".*"  # Each of its tokens has a node of its own, some twenty bytes a byte.
    greedy.send(b"".join(b"SUB s%d%s %d\r\n" % (sid, tail, sid) for sid in range(1500)))
    greedy.expect_eof()
    scene.server.expect_log("Memory Budget Exceeded")
    slow.expect(b"MSG %s 1 %d\r\n%s\r\n" % (subject, len(payload), payload) * 250)
    slow.fence()
