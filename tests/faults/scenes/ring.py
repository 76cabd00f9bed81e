"""Every errno at every operation of the ring, short counts, multishots that end."""

import errno
import os
import time

from faults import (Connection, Failure, Stream, check, closing, descriptors, errno_name,
                    local_port, need_nop_results, scene, wait_for)

AGAIN = {
    "recv": (errno.EINTR, errno.EAGAIN, errno.ENOBUFS, errno.ECANCELED),
    "send": (errno.EINTR, errno.EAGAIN),
    "accept": (errno.EINTR, errno.EAGAIN, errno.ECONNABORTED),
    "notify": (errno.EINTR, errno.EAGAIN, errno.ECANCELED),
    "wake": (errno.EINTR, errno.EAGAIN, errno.ENOMEM, errno.EOVERFLOW),
    "enter": (errno.EINTR, errno.EAGAIN, errno.EBUSY, errno.ENOMEM),
}
FATAL = (errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT, errno.ENOMEM, errno.EIO, errno.EINVAL,
         errno.EHOSTUNREACH, errno.ENOTCONN)
ACCEPT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EPROTO, errno.EPERM,
          errno.ENETDOWN, errno.EOPNOTSUPP)
EVERY = sorted(errno.errorcode)


def streams(server, count=4):
    made = [Stream(server.port, f"faults.{number}") for number in range(count)]
    for stream in made:
        stream.exchange(50)
    return made


@scene("ring: what means 'again' costs nobody anything")
def again(world):
    need_nop_results()
    sheet = world.sheet()
    sheet.rule("accept", "one_shot", at=1)
    sheet.rule("recv", "one_shot", at=2)
    server = world.serve(sheet=sheet)
    with closing(*streams(server)) as all_streams:
        for operation, errors in AGAIN.items():
            for error in errors:
                sheet.rule(operation, "fail", error, one_in=2)
                try:
                    for _ in range(3):
                        for stream in all_streams:
                            # Of fewer bytes a shard that sleeps is not told by a wake.
                            stream.exchange(100, payload_bytes=128)
                    if operation == "accept":
                        for _ in range(4):
                            Connection.connected(server.port).close()
                    if operation == "notify":
                        server.signal("HUP")  # A reload tells every shard.
                        server.expect_log("Reloaded|reload")
                except Failure as failure:
                    raise Failure(f"{operation} {errno_name(error)}: {failure}") from None
                if operation != "notify":
                    check(sheet.done() > 0, f"{operation} {errno_name(error)}: never came about")
                sheet.end()
                server.check_alive()
    server.stop()


def harm(server, sheet, operation, errors, all_streams):
    """For each error a client that meets it, and is closed or served; the others notice nothing."""
    victims = []
    for at, error in enumerate(errors, start=2):
        victim = Connection.connected(server.port)
        sheet.rule(operation, "fail", error, port=local_port(victim), times=1, at=at)
        victims.append((at, error, victim))
    try:
        for at, error, victim in victims:
            for _ in range(3):  # The first PING is read by the receive that is armed already.
                victim.send(b"PING\r\n")
        for at, error, victim in victims:
            sheet.wait_done(at=at)
        for stream in all_streams:
            stream.exchange(20)
        # What it sent before may still be read, so one that cannot be sent to ends a little later.
        for at, error, victim in victims:
            while victim.receive(time.monotonic() + 4) and victim.seen.count(b"PONG") < 3:
                pass
            check(victim.ended or victim.seen.count(b"PONG") == 3,
                  f"{operation} {errno_name(error)}: neither closed nor served")
    finally:
        sheet.end_all()
        for at, error, victim in victims:
            victim.close()
    server.check_alive()
    return sum(not victim.ended for at, error, victim in victims)


@scene("ring: an error of one client's is that client's alone")
def fatal(world):
    need_nop_results()
    sheet = world.sheet()
    server = world.serve(sheet=sheet)
    with closing(*streams(server)) as all_streams:
        before = descriptors(server)
        served = 0
        errors = EVERY if world.long else FATAL
        for operation in ("recv", "send"):
            for first in range(0, len(errors), 60):
                # A receive is armed but once, so it is made to end after each read.
                sheet.rule("recv", "one_shot", at=63)
                served += harm(server, sheet, operation, errors[first:first + 60], all_streams)
        wait_for(lambda: descriptors(server) <= before, "descriptors of the closed given back")
    server.stop()
    return f"{2 * len(errors)} errors, {served} of them survived by the client itself"


@scene("ring: a newcomer that could not be accepted comes in later")
def accept(world):
    need_nop_results()
    sheet = world.sheet()
    sheet.rule("accept", "one_shot", at=1)
    server = world.serve(sheet=sheet)
    errors = EVERY if world.long else ACCEPT
    with closing(*streams(server, 2)) as all_streams:
        for error in errors:
            sheet.rule("accept", "fail", error, times=1)
            first = Connection(server.port)  # Ends the accept that is armed.
            second = Connection(server.port)
            sheet.wait_done()
            for stream in all_streams:
                stream.exchange(10)
            for connection in (first, second):
                connection.read_info()
                connection.close()
            Connection.connected(server.port).close()
    server.stop()
    return f"{len(errors)} errors"


@scene("ring: sends and receives of a few bytes at a time")
def short(world):
    sheet = world.sheet()
    server = world.serve(sheet=sheet)
    with closing(*streams(server)) as all_streams:
        for count, bytes_each in ((1, 20), (3, 60), (777, 3000)):
            sheet.rule("send", "shorten", count)
            sheet.rule("recv", "shorten", count, at=1)
            for stream in all_streams:
                stream.exchange(10, bytes_each)
        sheet.rule("send", "shorten", 50_000)
        sheet.rule("recv", "one_shot", at=1)
        for stream in all_streams:
            stream.exchange(6, 300_000)  # By reference, in several parts.
        check(sheet.done() and sheet.done(1), "nothing was short")
    server.stop()


@scene("ring: multishots that end each time")
def one_shot(world):
    sheet = world.sheet()
    sheet.rule("accept", "one_shot")
    sheet.rule("recv", "one_shot", at=1)
    server = world.serve(sheet=sheet)
    with closing(*streams(server, 8)) as all_streams:
        for _ in range(5):
            for stream in all_streams:
                stream.exchange(200)
    check(sheet.done() > 8 and sheet.done(1) > 80, "they did not end")
    server.stop()


@scene("ring: no buffers, for many and for long")
def no_buffers(world):
    need_nop_results()
    sheet = world.sheet()
    server = world.serve(sheet=sheet)
    sheet.rule("recv", "one_shot", at=1)
    sheet.rule("recv", "fail", errno.ENOBUFS, one_in=3)
    with closing(*streams(server, 50)) as all_streams:
        for stream in all_streams:
            stream.publish(100)
        for stream in all_streams:
            stream.expect_all()
            stream.exchange(20)
    check(sheet.done() > 30, f"only {sheet.done()} came about")
    server.stop()


@scene("ring: a completion queue of eight places")
def overflow(world):
    sheet = world.sheet()
    sheet.rule("setup", "shorten", 4)
    server = world.serve(sheet=sheet)
    with closing(*streams(server, 60)) as all_streams:
        for stream in all_streams:
            stream.publish(100, 200)
        for stream in all_streams:
            stream.expect_all()
            stream.exchange(20)
    server.stop()


@scene("ring: set-up refused ends in one sentence")
def setup(world):
    sentences = {errno.ENOSYS: "no io_uring", errno.EPERM: "forbidden", errno.EACCES: "forbidden",
                 errno.EINVAL: "too old", errno.ENOMEM: "ulimit -l", errno.EMFILE: "ulimit -n",
                 errno.ENFILE: "ulimit -n"}
    sheet = world.sheet()
    errors = EVERY if world.long else [*sentences, errno.EFAULT]
    for error in errors:
        sheet.rule("setup", "fail", error)
        world.expect_refusal(sentences.get(error, "io_uring could not be set up"), sheet=sheet)
    sheet.end()
    for error in (EVERY if world.long else (errno.ENOMEM, errno.EINVAL, errno.EFAULT)):
        sheet.rule("buffers", "fail", error)
        world.expect_refusal("receive buffers could not be registered", sheet=sheet)
    sheet.end()
    sheet.rule("ring_descriptor", "fail", errno.EINVAL)
    sheet.rule("setup", "fail", errno.ENOMEM, times=3, at=1)  # Halved three times, then it fits.
    server = world.serve(sheet=sheet)
    with closing(*streams(server)):
        pass
    server.stop()
    check(sheet.done(0) and sheet.done(1) == 3, "they did not come about")


@scene("ring: one of two rings is refused")
def second_setup(world):
    sheet = world.sheet()
    for operation in ("setup", "buffers"):
        sheet.rule(operation, "fail", errno.ENOMEM if operation == "buffers" else errno.EMFILE,
                   one_in=2)
        world.expect_refusal("could not be registered|no file descriptor left", sheet=sheet)


def set_disabled(value):
    with open("/proc/sys/kernel/io_uring_disabled", "w", encoding="ascii") as file:
        file.write(str(value))


@scene("ring: io_uring switched off for the machine")
def disabled(world):
    import faults
    if os.geteuid() != 0 or not os.path.exists("/proc/sys/kernel/io_uring_disabled"):
        raise faults.Skipped("only root may set kernel.io_uring_disabled, where there is one")
    with open("/proc/sys/kernel/io_uring_disabled", encoding="ascii") as file:
        before = file.read().strip()
    if not world.long:
        raise faults.Skipped("it is the whole machine's; with --long it is done")
    try:
        set_disabled(2)
        world.expect_refusal("io_uring is forbidden here")
    except PermissionError:
        raise faults.Skipped("kernel.io_uring_disabled cannot be written here") from None
    finally:
        set_disabled(before)


@scene("ring: io_uring forbidden by a filter, as containers do")
def filtered(world):
    import faults
    for error, sentence in ((errno.EPERM, "forbidden"), (errno.ENOSYS, "no io_uring")):
        world.expect_refusal(sentence, prefix=(*faults.CONFINE, "--no-uring", str(error), "--"))
