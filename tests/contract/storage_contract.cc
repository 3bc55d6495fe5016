#include "tests/contract/storage_contract.h"

#include <latch>
#include <random>
#include <thread>

namespace holdfast::storage {

namespace {

Buffer buffer(std::string_view text) {
  const Bytes bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

Buffer random_bytes(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Buffer out(count);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

void put(Storage& storage, const std::string& name, std::string_view text) {
  const Result<void> result = storage.put(name, as_bytes(text), {});
  ASSERT_TRUE(result.ok()) << result.error().text();
}

template <typename T>
Errc kind(const Result<T>& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Errc::failed : result.error().kind();
}

Buffer get(Storage& storage, const std::string& name, ByteRange range = {}) {
  Result<Buffer> result = storage.get(name, range, {});
  EXPECT_TRUE(result.ok()) << result.error().text();
  return result.ok() ? std::move(result).value() : Buffer();
}

// Sorted, so that a name visited twice shows.
std::vector<std::string> list(Storage& storage, std::string_view prefix) {
  std::vector<std::string> names;
  const Result<void> result = storage.list(prefix,
                                           [&](const ObjectInfo& object) -> Result<void> {
                                             names.push_back(object.name);
                                             return {};
                                           },
                                           {});
  EXPECT_TRUE(result.ok()) << result.error().text();
  std::sort(names.begin(), names.end());
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_P(StorageContract, AnObjectPutIsSeenByAllClients) {
  put(*storage_, "t/ab/open", "hello");
  const std::unique_ptr<Storage> other = store_->client();
  for (Storage* client : {storage_.get(), other.get()}) {
    EXPECT_EQ(get(*client, "t/ab/open"), buffer("hello"));
    const Result<ObjectInfo> info = client->stat("t/ab/open", {});
    ASSERT_TRUE(info.ok());
    EXPECT_EQ(info.value().name, "t/ab/open");
    EXPECT_EQ(info.value().size_bytes, 5u);
    EXPECT_EQ(list(*client, ""), Names{"t/ab/open"});
  }
}

TEST_P(StorageContract, AnEmptyObjectIsAnObject) {
  put(*storage_, "empty", "");
  EXPECT_EQ(get(*storage_, "empty"), Buffer());
  EXPECT_EQ(list(*storage_, ""), Names{"empty"});
  EXPECT_EQ(kind(storage_->put("empty", as_bytes("x"), {})), Errc::exists);
}

TEST_P(StorageContract, ASecondPutFailsAndChangesNothing) {
  put(*storage_, "c/1", "first");
  const std::unique_ptr<Storage> other = store_->client();
  EXPECT_EQ(kind(storage_->put("c/1", as_bytes("second"), {})), Errc::exists);
  EXPECT_EQ(kind(other->put("c/1", as_bytes("third"), {})), Errc::exists);
  EXPECT_EQ(get(*storage_, "c/1"), buffer("first"));
}

TEST_P(StorageContract, OfRacingPutsExactlyOneWins) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 16; ++round) {
    const std::string name = fmt::format("race/{}", round);
    std::latch start(kThreads);
    std::atomic<int> winners = 0;
    std::atomic<int> winner = -1;
    std::vector<std::unique_ptr<Storage>> clients;
    for (int i = 0; i < kThreads; ++i) clients.push_back(store_->client());
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        // Half of the threads share a client.
        Storage& client = i % 2 == 0 ? *storage_ : *clients[static_cast<std::size_t>(i)];
        const std::string text(1000, static_cast<char>('a' + i));
        start.arrive_and_wait();
        const Result<void> result = client.put(name, as_bytes(text), {});
        if (result.ok()) {
          ++winners;
          winner = i;
        } else {
          EXPECT_EQ(result.error().kind(), Errc::exists);
        }
        EXPECT_EQ(get(client, name).size(), 1000u);  // whole at once, whoever won
      });
    }
    threads.clear();
    ASSERT_EQ(winners, 1);
    EXPECT_EQ(get(*storage_, name), buffer(std::string(1000, static_cast<char>('a' + winner))));
  }
}

TEST_P(StorageContract, RangesAreExactOrAnError) {
  put(*storage_, "o", "0123456789");
  constexpr std::uint64_t kToEnd = ByteRange::kToEnd;
  EXPECT_EQ(get(*storage_, "o", {.offset = 2, .length = 3}), buffer("234"));
  EXPECT_EQ(get(*storage_, "o", {.offset = 7, .length = kToEnd}), buffer("789"));
  EXPECT_EQ(get(*storage_, "o", {.offset = 0, .length = 10}), buffer("0123456789"));
  EXPECT_EQ(get(*storage_, "o", {.offset = 3, .length = 0}), Buffer());
  EXPECT_EQ(get(*storage_, "o", {.offset = 10, .length = 0}), Buffer());
  EXPECT_EQ(get(*storage_, "o", {.offset = 10, .length = kToEnd}), Buffer());
  for (const ByteRange range : {ByteRange{0, 11}, ByteRange{9, 2}, ByteRange{10, 1}, ByteRange{11, 0},
                                ByteRange{11, kToEnd}, ByteRange{2, kToEnd - 1}, ByteRange{kToEnd, 1}}) {
    EXPECT_EQ(kind(storage_->get("o", range, {})), Errc::damaged) << range.offset << "+" << range.length;
  }
}

TEST_P(StorageContract, MissingObjectsAreNotFound) {
  put(*storage_, "d/there", "x");
  for (const char* name : {"d/missing", "missing", "missing/too", "d"}) {
    EXPECT_EQ(kind(storage_->get(name, {}, {})), Errc::not_found) << name;
    EXPECT_EQ(kind(storage_->get(name, {.offset = 0, .length = 0}, {})), Errc::not_found) << name;
    EXPECT_EQ(kind(storage_->stat(name, {})), Errc::not_found) << name;
  }
}

TEST_P(StorageContract, ListMatchesPrefixesOfNamesNotOnlyOfComponents) {
  for (const char* name : {"t/ab", "t/abc", "t/abd/x", "t/b", "tt", "a.b/c-d", "a.b/c.d/e", "zz/y/x/w"}) {
    put(*storage_, name, name);
  }
  EXPECT_EQ(list(*storage_, "").size(), 8u);
  EXPECT_EQ(list(*storage_, "t"), (Names{"t/ab", "t/abc", "t/abd/x", "t/b", "tt"}));
  EXPECT_EQ(list(*storage_, "t/"), (Names{"t/ab", "t/abc", "t/abd/x", "t/b"}));
  EXPECT_EQ(list(*storage_, "t/ab"), (Names{"t/ab", "t/abc", "t/abd/x"}));
  EXPECT_EQ(list(*storage_, "t/abd/"), Names{"t/abd/x"});
  EXPECT_EQ(list(*storage_, "t/abd/x"), Names{"t/abd/x"});
  EXPECT_EQ(list(*storage_, "a.b/c"), (Names{"a.b/c-d", "a.b/c.d/e"}));
  EXPECT_EQ(list(*storage_, "zz/y"), Names{"zz/y/x/w"});
  for (const char* none : {"t/abcd", "q", "q/r/", "/", "t//", "../", "t/../", "./", "T", "tt/"}) {
    EXPECT_EQ(list(*storage_, none), Names()) << none;
  }
}

TEST_P(StorageContract, ListTellsSizesAndStopsAtAnError) {
  put(*storage_, "l/a", "1");
  put(*storage_, "l/b", "22");
  int visits = 0;
  const Result<void> ended = storage_->list("l/",
                                            [&](const ObjectInfo& object) -> Result<void> {
                                              ++visits;
                                              EXPECT_EQ(object.size_bytes, object.name == "l/a" ? 1u : 2u);
                                              return Error(Errc::guarded, "enough");
                                            },
                                            {});
  EXPECT_EQ(kind(ended), Errc::guarded);
  EXPECT_EQ(visits, 1);
}

TEST_P(StorageContract, AVisitorMayUseTheStore) {
  for (int i = 0; i < 5; ++i) put(*storage_, fmt::format("v/{}", i), fmt::format("{}", i));
  const Result<void> result = storage_->list("v/",
                                             [&](const ObjectInfo& object) -> Result<void> {
                                               const Buffer bytes = get(*storage_, object.name);
                                               TRY(storage_->put("w/" + object.name, bytes, {}));
                                               return storage_->remove(object.name, {});
                                             },
                                             {});
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(list(*storage_, "v/"), Names());
  EXPECT_EQ(list(*storage_, "w/").size(), 5u);
}

TEST_P(StorageContract, ListShowsWhatStaysWhileOthersComeAndGo) {
  Names stays;
  for (int i = 0; i < 50; ++i) stays.push_back(fmt::format("x/stay-{:02}", i));
  for (const std::string& name : stays) put(*storage_, name, "s");
  const std::unique_ptr<Storage> other = store_->client();
  std::jthread churn([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const std::string name = fmt::format("x/churn-{}", i % 7);
      static_cast<void>(other->put(name, as_bytes("c"), {}).ok());
      EXPECT_TRUE(other->remove(name, {}).ok());
    }
  });
  for (int round = 0; round < 10; ++round) EXPECT_EQ(list(*storage_, "x/stay"), stays);
}

TEST_P(StorageContract, RemoveIsIdempotentAndFreesTheName) {
  put(*storage_, "r/1", "one");
  put(*storage_, "r/2", "two");
  EXPECT_TRUE(storage_->remove("r/1", {}).ok());
  EXPECT_TRUE(storage_->remove("r/1", {}).ok());
  EXPECT_TRUE(storage_->remove("never/there", {}).ok());
  EXPECT_EQ(kind(storage_->get("r/1", {}, {})), Errc::not_found);
  EXPECT_EQ(list(*storage_, "r/"), Names{"r/2"});
  put(*storage_, "r/1", "again");
  EXPECT_EQ(get(*storage_, "r/1"), buffer("again"));
}

TEST_P(StorageContract, NamesOfEveryAllowedKindWorkAndOthersAreRefused) {
  const std::string longest(200, 'n');
  for (const std::string& name : {std::string("..."), std::string("a..b"), std::string(".x/y."),
                                  std::string("-"), std::string("0/1-2/3.4"), longest}) {
    put(*storage_, name, "n");
    EXPECT_EQ(get(*storage_, name), buffer("n")) << name;
    EXPECT_EQ(list(*storage_, name), Names{name});
  }
  for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("a/../b"),
                                  std::string("/a"), std::string("a/"), std::string("a//b"), std::string("A"),
                                  std::string("a_b"), std::string("a\0b", 3), longest + "n"}) {
    EXPECT_EQ(kind(storage_->put(name, as_bytes("x"), {})), Errc::usage) << name;
    EXPECT_EQ(kind(storage_->get(name, {}, {})), Errc::usage) << name;
    EXPECT_EQ(kind(storage_->remove(name, {})), Errc::usage) << name;
    EXPECT_EQ(kind(storage_->stat(name, {})), Errc::usage) << name;
  }
}

TEST_P(StorageContract, ALargeSpoolIsRewindableAndPutWhole) {
  const Buffer bytes = random_bytes(5 * kMiB + 4321, 7);
  Result<std::unique_ptr<Spool>> made = storage_->spool();
  ASSERT_TRUE(made.ok());
  Spool& spool = *made.value();
  std::mt19937_64 random(8);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t step = std::min<std::size_t>(bytes.size() - at, random() % (300 * kKiB));
    ASSERT_TRUE(spool.append(Bytes(bytes).subspan(at, step)).ok());
    at += step;
    EXPECT_EQ(spool.size_bytes(), at);
  }
  Buffer part(70000);
  ASSERT_TRUE(spool.read(123, part).ok());
  EXPECT_TRUE(std::equal(part.begin(), part.end(), bytes.begin() + 123));
  EXPECT_EQ(list(*storage_, ""), Names());  // nothing shows before it is put
  ASSERT_TRUE(storage_->put("p/large", spool, {}).ok());
  EXPECT_EQ(kind(storage_->put("p/large", spool, {})), Errc::exists);
  ASSERT_TRUE(spool.read(bytes.size() - part.size(), part).ok());
  EXPECT_TRUE(std::equal(part.rbegin(), part.rend(), bytes.rbegin()));
  made.value().reset();
  EXPECT_EQ(get(*storage_, "p/large"), bytes);
  EXPECT_EQ(get(*storage_, "p/large", {.offset = 2 * kMiB - 1, .length = 2}),
            Buffer(bytes.begin() + 2 * kMiB - 1, bytes.begin() + 2 * kMiB + 1));
}

TEST_P(StorageContract, ASpoolDroppedLeavesNothing) {
  Result<std::unique_ptr<Spool>> spool = storage_->spool();
  ASSERT_TRUE(spool.ok());
  ASSERT_TRUE(spool.value()->append(as_bytes("unwanted")).ok());
  spool.value().reset();
  EXPECT_EQ(list(*storage_, ""), Names());
}

TEST_P(StorageContract, ASpoolObeysPutIfAbsent) {
  put(*storage_, "s", "first");
  Result<std::unique_ptr<Spool>> spool = storage_->spool();
  ASSERT_TRUE(spool.ok());
  ASSERT_TRUE(spool.value()->append(as_bytes("second")).ok());
  EXPECT_EQ(kind(storage_->put("s", *spool.value(), {})), Errc::exists);
  EXPECT_EQ(get(*storage_, "s"), buffer("first"));
}

TEST_P(StorageContract, BarriersMayBeManyAndConcurrent) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 30; ++i) {
        put(*storage_, fmt::format("b/{}/{}", t, i), "x");
        if (i % 10 == 0) {
          EXPECT_TRUE(storage_->barrier({}).ok());
        }
      }
    });
  }
  threads.clear();
  EXPECT_TRUE(storage_->barrier({}).ok());
  EXPECT_EQ(list(*storage_, "b/").size(), 90u);
}

TEST_P(StorageContract, AStoppedCallerIsToldSo) {
  put(*storage_, "there", "x");
  std::stop_source source;
  source.request_stop();
  const std::stop_token stop = source.get_token();
  EXPECT_EQ(kind(storage_->put("n", as_bytes("x"), stop)), Errc::stopped);
  EXPECT_EQ(kind(storage_->get("there", {}, stop)), Errc::stopped);
  EXPECT_EQ(kind(storage_->remove("there", stop)), Errc::stopped);
  EXPECT_EQ(list(*storage_, ""), Names{"there"});
}

}  // namespace holdfast::storage
