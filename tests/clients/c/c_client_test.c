// The C client against a server: what an application does with core NATS. The address of the
// server, and of the driver that restarts it, come from the environment. Prints a line for each
// test.

#include <arpa/inet.h>
#include <nats/nats.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { patience_ms = 10000, tests_seconds_max = 120 };

static const char* server_address;
static natsConnection* nc;
static const char* failed_at;
static char failure[256];

// A test ends at its first surprise. What it has allocated goes with the process.
#define CHECK(claim)                                                      \
  do {                                                                    \
    if (!(claim)) {                                                       \
      snprintf(failure, sizeof failure, "line %d: %s", __LINE__, #claim); \
      failed_at = failure;                                                \
      return;                                                             \
    }                                                                     \
  } while (0)

#define OK(call)                                                            \
  do {                                                                      \
    const natsStatus status_ = (call);                                      \
    if (status_ != NATS_OK) {                                               \
      snprintf(failure, sizeof failure, "line %d: %s: %s", __LINE__, #call, \
               natsStatus_GetText(status_));                                \
      failed_at = failure;                                                  \
      return;                                                               \
    }                                                                       \
  } while (0)

// A subject that no other test uses. Good until the eighth call after this one.
static const char* fresh(void) {
  static char names[8][64];
  static int serial = 0;
  char* name = names[++serial % 8];
  snprintf(name, sizeof names[0], "c.%d.%d", (int)getpid(), serial);
  return name;
}

static bool has_text(natsMsg* message, const char* text) {
  return (size_t)natsMsg_GetDataLength(message) == strlen(text) &&
         memcmp(natsMsg_GetData(message), text, strlen(text)) == 0;
}

static void answer(natsConnection* connection, natsSubscription* sub, natsMsg* message, void* arg) {
  (void)sub, (void)arg;
  natsConnection_Publish(connection, natsMsg_GetReply(message), natsMsg_GetData(message),
                         natsMsg_GetDataLength(message));
  natsMsg_Destroy(message);
}

static void publish_and_subscribe(void) {
  const char* subject = fresh();
  natsConnection* other;
  natsSubscription* sub;
  natsMsg* message;
  OK(natsConnection_ConnectTo(&other, server_address));
  OK(natsConnection_SubscribeSync(&sub, other, subject));
  OK(natsConnection_Flush(other));
  for (int at = 0; at < 1000; at++) {
    char text[16];
    snprintf(text, sizeof text, "%d", at);
    OK(natsConnection_PublishString(nc, subject, text));
  }
  for (int at = 0; at < 1000; at++) {
    char text[16];
    snprintf(text, sizeof text, "%d", at);
    OK(natsSubscription_NextMsg(&message, sub, patience_ms));
    CHECK(has_text(message, text));
    natsMsg_Destroy(message);
  }
  natsSubscription_Destroy(sub);
  natsConnection_Destroy(other);
}

static void wildcards(void) {
  const char* front = fresh();
  char filter[100], subject[100];
  natsSubscription *star, *all;
  natsMsg* message;
  snprintf(filter, sizeof filter, "%s.*.c", front);
  OK(natsConnection_SubscribeSync(&star, nc, filter));
  snprintf(filter, sizeof filter, "%s.>", front);
  OK(natsConnection_SubscribeSync(&all, nc, filter));
  const char* tails[] = {"a.c", "x", "b.c", "a.b.c"};
  for (int at = 0; at < 4; at++) {
    snprintf(subject, sizeof subject, "%s.%s", front, tails[at]);
    OK(natsConnection_PublishString(nc, subject, tails[at]));
  }
  for (int at = 0; at < 4; at++) {
    OK(natsSubscription_NextMsg(&message, all, patience_ms));
    CHECK(has_text(message, tails[at]));
    natsMsg_Destroy(message);
  }
  for (int at = 0; at < 4; at += 2) {
    OK(natsSubscription_NextMsg(&message, star, patience_ms));
    CHECK(has_text(message, tails[at]));
    natsMsg_Destroy(message);
  }
  natsSubscription_Destroy(star);
  natsSubscription_Destroy(all);
}

static void queue_groups_share(void) {
  enum { members = 3, messages = 900 };
  const char* subject = fresh();
  natsConnection* connections[members];
  natsSubscription* subs[members];
  for (int at = 0; at < members; at++) {
    OK(natsConnection_ConnectTo(&connections[at], server_address));
    OK(natsConnection_QueueSubscribeSync(&subs[at], connections[at], subject, "workers"));
    OK(natsConnection_Flush(connections[at]));
  }
  for (int at = 0; at < messages; at++) OK(natsConnection_PublishString(nc, subject, "x"));
  OK(natsConnection_Flush(nc));
  int64_t total = 0;
  for (int at = 0; at < members; at++) {
    OK(natsConnection_Flush(connections[at]));
    int count = 0, bytes = 0;
    OK(natsSubscription_GetPending(subs[at], &count, &bytes));
    CHECK(count > 200);
    total += count;
  }
  CHECK(total == messages);
  for (int at = 0; at < members; at++) {
    natsSubscription_Destroy(subs[at]);
    natsConnection_Destroy(connections[at]);
  }
}

static void request_and_reply(void) {
  const char* subject = fresh();
  natsConnection* service;
  natsSubscription* sub;
  OK(natsConnection_ConnectTo(&service, server_address));
  OK(natsConnection_Subscribe(&sub, service, subject, answer, NULL));
  OK(natsConnection_Flush(service));
  for (int at = 0; at < 200; at++) {
    char text[16];
    natsMsg* reply;
    snprintf(text, sizeof text, "%d", at);
    OK(natsConnection_RequestString(&reply, nc, subject, text, patience_ms));
    CHECK(has_text(reply, text));
    natsMsg_Destroy(reply);
  }
  natsSubscription_Destroy(sub);
  natsConnection_Destroy(service);
}

static void request_the_old_way(void) {
  natsOptions* options;
  natsConnection* old;
  natsSubscription* sub;
  const char* subject = fresh();
  OK(natsOptions_Create(&options));
  OK(natsOptions_SetURL(options, server_address));
  OK(natsOptions_UseOldRequestStyle(options, true));
  OK(natsConnection_Connect(&old, options));
  OK(natsConnection_Subscribe(&sub, nc, subject, answer, NULL));
  OK(natsConnection_Flush(nc));
  for (int at = 0; at < 100; at++) {
    natsMsg* reply;
    OK(natsConnection_RequestString(&reply, old, subject, "hi", patience_ms));
    CHECK(has_text(reply, "hi"));
    natsMsg_Destroy(reply);
  }
  natsMsg* none;
  CHECK(natsConnection_RequestString(&none, old, fresh(), "hi", patience_ms) == NATS_NO_RESPONDERS);
  natsSubscription_Destroy(sub);
  natsConnection_Destroy(old);
  natsOptions_Destroy(options);
}

static void request_with_many_replies(void) {
  const char* subject = fresh();
  natsInbox* inbox;
  natsSubscription *replies, *services[5];
  OK(natsInbox_Create(&inbox));
  OK(natsConnection_SubscribeSync(&replies, nc, inbox));
  for (int at = 0; at < 5; at++) {
    OK(natsConnection_Subscribe(&services[at], nc, subject, answer, NULL));
  }
  OK(natsConnection_PublishRequestString(nc, subject, inbox, "all"));
  for (int at = 0; at < 5; at++) {
    natsMsg* reply;
    OK(natsSubscription_NextMsg(&reply, replies, patience_ms));
    CHECK(has_text(reply, "all"));
    natsMsg_Destroy(reply);
  }
  for (int at = 0; at < 5; at++) natsSubscription_Destroy(services[at]);
  natsSubscription_Destroy(replies);
  natsInbox_Destroy(inbox);
}

static void no_responders(void) {
  natsMsg* reply;
  CHECK(natsConnection_RequestString(&reply, nc, fresh(), "", patience_ms) == NATS_NO_RESPONDERS);
}

static void request_times_out(void) {
  natsSubscription* silent;
  natsMsg* reply;
  const char* subject = fresh();
  OK(natsConnection_SubscribeSync(&silent, nc, subject));
  CHECK(natsConnection_RequestString(&reply, nc, subject, "", 200) == NATS_TIMEOUT);
  natsSubscription_Destroy(silent);
}

static void header_values(void) {
  const char* subject = fresh();
  natsSubscription* sub;
  natsMsg *message, *seen;
  const char* value;
  const char** values;
  int count;
  OK(natsConnection_SubscribeSync(&sub, nc, subject));
  OK(natsMsg_Create(&message, subject, NULL, "x", 1));
  OK(natsMsgHeader_Set(message, "id", "17"));
  OK(natsMsgHeader_Add(message, "many", "a"));
  OK(natsMsgHeader_Add(message, "many", "b"));
  OK(natsConnection_PublishMsg(nc, message));
  OK(natsSubscription_NextMsg(&seen, sub, patience_ms));
  OK(natsMsgHeader_Get(seen, "id", &value));
  CHECK(strcmp(value, "17") == 0);
  OK(natsMsgHeader_Values(seen, "many", &values, &count));
  CHECK(count == 2 && strcmp(values[0], "a") == 0 && strcmp(values[1], "b") == 0);
  CHECK(has_text(seen, "x"));
  free((void*)values);
  natsMsg_Destroy(message);
  natsMsg_Destroy(seen);
  natsSubscription_Destroy(sub);
}

static void auto_unsubscribe(void) {
  const char* subject = fresh();
  natsSubscription* sub;
  natsMsg* message;
  OK(natsConnection_SubscribeSync(&sub, nc, subject));
  OK(natsSubscription_AutoUnsubscribe(sub, 3));
  for (int at = 0; at < 10; at++) OK(natsConnection_PublishString(nc, subject, "x"));
  OK(natsConnection_Flush(nc));
  for (int at = 0; at < 3; at++) {
    OK(natsSubscription_NextMsg(&message, sub, patience_ms));
    natsMsg_Destroy(message);
  }
  CHECK(natsSubscription_NextMsg(&message, sub, 100) != NATS_OK);
  natsSubscription_Destroy(sub);
}

static void large_payloads(void) {
  const char* subject = fresh();
  const int64_t bytes_max = natsConnection_GetMaxPayload(nc);
  natsSubscription* sub;
  natsMsg* message;
  char* payload = malloc((size_t)bytes_max + 1);
  for (int64_t at = 0; at <= bytes_max; at++) payload[at] = (char)(at * 31 >> 3);
  OK(natsConnection_SubscribeSync(&sub, nc, subject));
  for (int less = 0; less < 3; less++) {
    const int bytes = (int)bytes_max - less;
    OK(natsConnection_Publish(nc, subject, payload, bytes));
    OK(natsSubscription_NextMsg(&message, sub, patience_ms));
    CHECK(natsMsg_GetDataLength(message) == bytes);
    CHECK(memcmp(natsMsg_GetData(message), payload, (size_t)bytes) == 0);
    natsMsg_Destroy(message);
  }
  CHECK(natsConnection_Publish(nc, subject, payload, (int)bytes_max + 1) == NATS_MAX_PAYLOAD);
  OK(natsConnection_Flush(nc));
  natsSubscription_Destroy(sub);
  free(payload);
}

static void count_up(natsConnection* connection, natsSubscription* sub, natsMsg* message,
                     void* count) {
  (void)connection, (void)sub;
  __atomic_add_fetch((int*)count, 1, __ATOMIC_SEQ_CST);
  natsMsg_Destroy(message);
}

static void drain_subscription(void) {
  const char* subject = fresh();
  int count = 0;
  natsConnection* other;
  natsSubscription* sub;
  OK(natsConnection_ConnectTo(&other, server_address));
  OK(natsConnection_Subscribe(&sub, other, subject, count_up, &count));
  OK(natsConnection_Flush(other));
  for (int at = 0; at < 500; at++) OK(natsConnection_PublishString(nc, subject, "x"));
  OK(natsConnection_Flush(nc));
  OK(natsSubscription_Drain(sub));
  OK(natsSubscription_WaitForDrainCompletion(sub, patience_ms));
  CHECK(__atomic_load_n(&count, __ATOMIC_SEQ_CST) == 500);
  natsSubscription_Destroy(sub);
  natsConnection_Destroy(other);
}

static void set_flag(natsConnection* connection, void* flag) {
  (void)connection;
  __atomic_store_n((int*)flag, 1, __ATOMIC_SEQ_CST);
}

static bool wait_for(int* flag) {
  for (int waited_ms = 0; waited_ms < patience_ms; waited_ms += 5) {
    if (__atomic_load_n(flag, __ATOMIC_SEQ_CST)) return true;
    nats_Sleep(5);
  }
  return false;
}

static void drain_connection(void) {
  const char* subject = fresh();
  int count = 0, closed = 0;
  natsOptions* options;
  natsConnection* other;
  natsSubscription* sub;
  OK(natsOptions_Create(&options));
  OK(natsOptions_SetURL(options, server_address));
  OK(natsOptions_SetClosedCB(options, set_flag, &closed));
  OK(natsConnection_Connect(&other, options));
  OK(natsConnection_Subscribe(&sub, other, subject, count_up, &count));
  OK(natsConnection_Flush(other));
  for (int at = 0; at < 500; at++) OK(natsConnection_PublishString(nc, subject, "x"));
  OK(natsConnection_Flush(nc));
  OK(natsConnection_Drain(other));
  CHECK(wait_for(&closed));
  CHECK(__atomic_load_n(&count, __ATOMIC_SEQ_CST) == 500);
  natsSubscription_Destroy(sub);
  natsConnection_Destroy(other);
  natsOptions_Destroy(options);
}

static void echo_off(void) {
  const char* subject = fresh();
  natsOptions* options;
  natsConnection* quiet;
  natsSubscription *own, *other;
  natsMsg* message;
  OK(natsOptions_Create(&options));
  OK(natsOptions_SetURL(options, server_address));
  OK(natsOptions_SetNoEcho(options, true));
  OK(natsConnection_Connect(&quiet, options));
  OK(natsConnection_SubscribeSync(&own, quiet, subject));
  OK(natsConnection_SubscribeSync(&other, nc, subject));
  OK(natsConnection_Flush(nc));
  OK(natsConnection_PublishString(quiet, subject, "x"));
  OK(natsConnection_Flush(quiet));
  OK(natsSubscription_NextMsg(&message, other, patience_ms));
  natsMsg_Destroy(message);
  CHECK(natsSubscription_NextMsg(&message, own, 50) == NATS_TIMEOUT);
  natsSubscription_Destroy(own);
  natsSubscription_Destroy(other);
  natsConnection_Destroy(quiet);
  natsOptions_Destroy(options);
}

static void round_trip_time(void) {
  int64_t rtt_ns = 0;
  OK(natsConnection_GetRTT(nc, &rtt_ns));
  CHECK(rtt_ns > 0);
}

// Asks the driver for something to be done to the server, and waits until it is.
static bool ask(const char* word) {
  const char* address = getenv("DRIVER_ADDRESS");
  const char* colon = strchr(address, ':');
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
  char reply[16] = "";
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const bool sent = connect(fd, (struct sockaddr*)&to, sizeof to) == 0 &&
                    write(fd, word, strlen(word)) > 0 && write(fd, "\n", 1) == 1;
  const bool answered = sent && read(fd, reply, sizeof reply - 1) > 0;
  close(fd);
  return answered && strncmp(reply, "ok", 2) == 0;
}

static void reconnect(void) {
  const char* subject = fresh();
  int reconnected = 0;
  natsOptions* options;
  natsConnection* staying;
  natsSubscription* sub;
  natsMsg* message;
  OK(natsOptions_Create(&options));
  OK(natsOptions_SetURL(options, server_address));
  OK(natsOptions_SetReconnectWait(options, 50));
  OK(natsOptions_SetMaxReconnect(options, -1));
  OK(natsOptions_SetReconnectedCB(options, set_flag, &reconnected));
  OK(natsConnection_Connect(&staying, options));
  OK(natsConnection_SubscribeSync(&sub, staying, subject));
  OK(natsConnection_Flush(staying));
  CHECK(ask("restart"));
  CHECK(wait_for(&reconnected));
  OK(natsConnection_PublishString(staying, subject, "still here"));
  OK(natsSubscription_NextMsg(&message, sub, patience_ms));
  CHECK(has_text(message, "still here"));
  natsMsg_Destroy(message);
  natsSubscription_Destroy(sub);
  natsConnection_Destroy(staying);
  natsOptions_Destroy(options);
}

static const struct {
  const char* name;
  void (*run)(void);
} tests[] = {
    {"publish and subscribe", publish_and_subscribe},
    {"wildcards", wildcards},
    {"queue groups share", queue_groups_share},
    {"request and reply", request_and_reply},
    {"request the old way", request_the_old_way},
    {"a request with many replies", request_with_many_replies},
    {"no responders", no_responders},
    {"a request that nobody answers times out", request_times_out},
    {"headers", header_values},
    {"auto-unsubscribe", auto_unsubscribe},
    {"large payloads, and one too large", large_payloads},
    {"drain of a subscription", drain_subscription},
    {"drain of a connection", drain_connection},
    {"echo off", echo_off},
    {"round-trip time", round_trip_time},
    {"reconnect after the server's restart", reconnect},
};

int main(void) {
  server_address = getenv("SERVER_ADDRESS");
  alarm(tests_seconds_max);
  if (natsConnection_ConnectTo(&nc, server_address) != NATS_OK) {
    printf("not ok connect to %s\n", server_address);
    return 1;
  }
  int failures = 0;
  for (size_t at = 0; at < sizeof tests / sizeof tests[0]; at++) {
    failed_at = NULL;
    tests[at].run();
    if (failed_at != NULL) {
      failures++;
      printf("not ok %s: %s\n", tests[at].name, failed_at);
    } else {
      printf("ok %s\n", tests[at].name);
    }
    fflush(stdout);
  }
  natsConnection_Destroy(nc);
  nats_Close();
  return failures == 0 ? 0 : 1;
}
