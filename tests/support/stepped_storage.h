// Deterministic simulation of several clients of one store. Each client runs in a thread of its own and
// halts at the entry of every storage call; when all living clients have halted or ended, the seed picks one,
// whose call is performed and who then runs alone until his next call. So one seed is one interleaving.
//
// A client that makes storage calls from several threads works too, but is only as deterministic as
// these threads are. Spools in the making are no storage calls: nobody else sees them. The visits of a list
// come after the call, so that they may use the store.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>

#include "storage/storage.h"

namespace holdfast::testing {

// That client dies at the entry of its n-th call (1 = the first): this and all later ones do nothing and
// return Errc::stopped.
struct Kill {
  std::size_t client = 0;
  std::uint64_t call = 1;
};

// One call performed: "2 put t/ab exists".
using Trace = std::vector<std::string>;

using Client = std::function<void(storage::Storage& store)>;

// Runs all clients to their ends, each on its own handle of the store. Of 32 calls, about `stay` are followed by another of the
// same client: some races need one that sleeps through all that another does.
Trace run_stepped(std::uint64_t seed, const std::function<std::unique_ptr<storage::Storage>()>& open,
                  const std::vector<Client>& clients, const std::vector<Kill>& kills = {}, unsigned stay = 0);

// What run_stepped is made of, for simulations that bring their own threads: one Stepper, for each client a
// stepped() handle, and finished() when the client's thread ends. No call proceeds before all clients
// have come to theirs.
class Stepper {
 public:
  Stepper(std::uint64_t seed, std::size_t clients, const std::vector<Kill>& kills, unsigned stay = 0);

  void finished(std::size_t client);
  Trace trace() const;

  // Waits for the turn of `client`; false where it is dead. A true must be followed by done().
  bool enter(std::size_t client);
  void done(std::size_t client, std::string line);

 private:
  struct Seat {
    std::deque<std::uint64_t> waiting;  // tickets of halted calls
    bool running = true;                // computing, or in its call
    std::uint64_t calls = 0;
    std::uint64_t dies_at = ~std::uint64_t{0};
  };
  void pick();  // under mutex_

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::mt19937_64 random_;
  const unsigned stay_;
  std::vector<Seat> seats_;
  std::size_t last_ = 0;
  std::uint64_t tickets_ = 0;
  std::uint64_t turn_ = 0;  // the ticket that may go; 0: none
  Trace trace_;
};

// `stepper` must outlive the storage.
std::unique_ptr<storage::Storage> stepped(std::unique_ptr<storage::Storage> inner, Stepper& stepper,
                                          std::size_t client);

}  // namespace holdfast::testing
