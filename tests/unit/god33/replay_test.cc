#include <catch2/catch.hpp>

#include "base/error.h"
#include "tools/god33/exit_code.h"
#include "tools/god33/replay_actions.h"
#include "tools/god33/replay_view.h"

namespace god33::cli {
namespace {

constexpr char kId[] = "0199a000-0000-7000-8000-000000000001";
constexpr char kLive[] = "live.exchange";
const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

store::v1::Replay Running() {
  store::v1::Replay replay;
  replay.set_replay_id(kId);
  replay.set_state("running");
  replay.set_exchange("x");
  replay.set_rate(100);
  replay.set_total(300);
  replay.set_total_exact(true);
  replay.set_published(180);
  replay.set_from_position(1001);
  replay.set_to_position(2000);
  replay.set_position(1250);
  return replay;
}

TEST_CASE("every filter of a replay reaches the request") {
  const auto request = MakeRequest(ReplayOptions{.workflow = kId,
                                                 .correlation = kId,
                                                 .types = {"a.*", "b.c"},
                                                 .since = "10s",
                                                 .until = "1970-01-12T13:46:40Z",
                                                 .from_position = 3,
                                                 .to_position = 5,
                                                 .exchange = "mine",
                                                 .rate = 7,
                                                 .dry_run = true},
                                   kLive, kNow);
  REQUIRE(request.ok());
  CHECK(request->workflow_id() == kId);
  CHECK(request->correlation_id() == kId);
  CHECK(request->event_types_size() == 2);
  CHECK(request->start_time().seconds() == 999'990);
  CHECK(request->end_time().seconds() == 1'000'000);
  CHECK(request->from_position() == 3);
  CHECK(request->to_position() == 5);
  CHECK(request->exchange() == "mine");
  CHECK_FALSE(request->live());
  CHECK(request->rate() == 7);
  CHECK(request->dry_run());
}

TEST_CASE("a replay of everything by accident is refused") {
  const auto request = MakeRequest(ReplayOptions{.rate = 7}, kLive, kNow);
  CHECK(ReasonOf(request.status()) == "USAGE");
  CHECK(MakeRequest(ReplayOptions{.from_position = 1}, kLive, kNow).ok());
}

TEST_CASE("Bloodbank's own exchange is named only with live") {
  CHECK_FALSE(MakeRequest(ReplayOptions{.from_position = 1}, kLive, kNow)->has_exchange());
  const auto request = MakeRequest(ReplayOptions{.from_position = 1, .live = true}, kLive, kNow);
  CHECK(request->live());
  CHECK(request->exchange() == kLive);
}

TEST_CASE("a time that can't be read is an error of its option") {
  const auto request = MakeRequest(ReplayOptions{.since = "soon"}, kLive, kNow);
  CHECK(FieldOf(request.status()) == "--since");
}

TEST_CASE("a replay that failed or was cancelled is no success") {
  store::v1::Replay replay = Running();
  replay.set_state("completed");
  CHECK(OutcomeOf(replay).ok());
  replay.set_state("cancelled");
  CHECK(ExitCodeOf(OutcomeOf(replay)) == ExitCode::kFailed);
  replay.set_state("failed");
  replay.set_error("no such exchange");
  CHECK(ExitCodeOf(OutcomeOf(replay)) == ExitCode::kFailed);
  CHECK(MessageOf(OutcomeOf(replay)).find("no such exchange") != std::string::npos);
}

TEST_CASE("progress goes by events, or by positions when nobody knows how many there are") {
  store::v1::Replay replay = Running();
  CHECK(FractionOf(replay) == Approx(0.6));
  replay.set_total_exact(false);
  CHECK(FractionOf(replay) == Approx(0.25));
  replay.set_total_exact(true);
  replay.set_published(310);  // the last ones again after a crash
  CHECK(FractionOf(replay) == 1.0);
  replay.set_published(0);
  replay.set_total(0);
  CHECK(FractionOf(replay) == 1.0);
}

TEST_CASE("the line of progress fits the screen") {
  store::v1::Replay replay = Running();
  CHECK(ReplayProgress(replay, {}) == "180 of 300 published (60%), 2s left");
  CHECK(ReplayProgress(replay, {.terminal = true}) ==
        "[##################............] 180 of 300 published (60%), 2s left");
  CHECK(ReplayProgress(replay, {.terminal = true, .width = 12}) == "[##########…");
  replay.set_error("the broker\nis away");
  CHECK(ReplayProgress(replay, {}) == "180 of 300 published (60%), waits: the broker\\nis away");
}

TEST_CASE("what a replay would do and has done is one line") {
  store::v1::Replay replay = Running();
  CHECK(ReplayForecast(replay) ==
        "300 events would be published on x; at 100 a second that takes 3s");
  replay.set_state("completed");
  replay.set_published(300);
  CHECK(ReplayEnd(replay) ==
        "0199a000-0000-7000-8000-000000000001 completed: 300 of 300 published on x");
  replay.set_unroutable(5);
  replay.set_total_exact(false);
  CHECK(ReplayEnd(replay) ==
        "0199a000-0000-7000-8000-000000000001 completed: 300 of at least 300 published on x, "
        "5 taken by no queue");
}

TEST_CASE("a replay's details say what was asked for, as options") {
  store::v1::Replay replay = Running();
  replay.add_event_types("a.*");
  CHECK(ReplayDetails(replay).find("--type a.* --from-position 1001 --to-position 2000") !=
        std::string::npos);
}

}  // namespace
}  // namespace god33::cli
