#pragma once
// What clients do: publish, subscribe, ask and answer, come and go, talk rubbish. Each script is a
// few lines over Client; all of it is drawn from the seed.

#include <memory>

#include "tests/sim/client.hpp"

namespace peal::sim {

/// A client of a kind and with habits that the scenario allows.
std::unique_ptr<Client> make_client(Stage& stage);

/// One that behaves, for the time after the faults: then nothing but the server can be slow.
std::unique_ptr<Client> make_late_client(Stage& stage);

/// A well-behaved one, for the time after the faults: shows that the server still takes newcomers,
/// and that a message comes to a server fast asleep.
class Prober : public Client {
 public:
  Prober(Stage& stage, const Habits& habits);
  static std::unique_ptr<Prober> make(Stage& stage);

  void speak();     // One message to all probers, with no PING behind it.
  void hesitate();  // Subscribes, thinks better of it, and asks for a PONG.
  uint32_t heard() const { return heard_; }

 private:
  bool act() override;
  void on_message(const Message&, Subscription&) override { heard_++; }

  int step_ = 0;
  uint32_t heard_ = 0;
};

/// A service on svc.`number`, with habits that do not get it lost.
std::unique_ptr<Client> make_service(Stage& stage, unsigned number);

}  // namespace peal::sim
