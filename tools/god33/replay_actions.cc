#include "tools/god33/replay_actions.h"

#include <memory>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "tools/god33/api_client.h"
#include "tools/god33/confirm.h"
#include "tools/god33/environment.h"
#include "tools/god33/interrupt.h"
#include "tools/god33/moment.h"
#include "tools/god33/replay_view.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

constexpr char kRunning[] = "running";

// How often a job is looked at, and how often a line tells of it where none can be redrawn.
constexpr absl::Duration kLook = absl::Milliseconds(300);
constexpr absl::Duration kTell = absl::Seconds(5);

ReplayClient ClientOf(const Session& session) {
  return ReplayClient(EventStoreManager(), session.options.timeout);
}

absl::StatusOr<v1::Replay> AskFor(const std::string& id, ReplayClient& client) {
  v1::GetReplayRequest request;
  request.set_replay_id(id);
  auto answer = client.Call(&ReplayClient::Stub::GetReplay, request);
  if (!answer.ok()) return answer.status();
  return std::move(*answer->mutable_replay());
}

absl::StatusOr<v1::Replay> Start(const v1::StartReplayRequest& request, ReplayClient& client) {
  auto answer = client.Call(&ReplayClient::Stub::StartReplay, request);
  if (!answer.ok()) return answer.status();
  return std::move(*answer->mutable_replay());
}

absl::StatusOr<v1::Replay> Cancel(const std::string& id, ReplayClient& client) {
  v1::CancelReplayRequest request;
  request.set_replay_id(id);
  auto answer = client.Call(&ReplayClient::Stub::CancelReplay, request);
  if (!answer.ok()) return answer.status();
  return std::move(*answer->mutable_replay());
}

// Tells on standard error how far a replay is: redraws a line on a terminal, elsewhere adds one now and
// then.
class Progress {
 public:
  explicit Progress(Session& session) : session_(session) {}

  void Show(const v1::Replay& replay) {
    const Screen& screen = session_.prose_screen;
    if (screen.cursor) {
      session_.prose.Write(StrCat("\r", ReplayProgress(replay, screen), "\x1b[K"));
      session_.prose.Flush().IgnoreError();  // nobody can be told
      drawn_ = true;
    } else if (const absl::Time now = session_.clock.Now(); now - told_ >= kTell) {
      if (told_ != absl::InfinitePast()) session_.Note(ReplayProgress(replay, screen));
      told_ = now;
    }
  }

  // Before anything else is printed.
  void Clear() {
    if (!drawn_) return;
    session_.prose.Write("\r\x1b[K");
    session_.prose.Flush().IgnoreError();  // nobody can be told
    drawn_ = false;
  }

 private:
  Session& session_;
  bool drawn_ = false;
  absl::Time told_ = absl::InfinitePast();
};

// Looks at a running replay until it has ended or a signal comes. Goes on when the manager is away: the
// replay does, too.
absl::Status Wait(v1::Replay& replay, const Interrupt& interrupt, ReplayClient& client,
                  Session& session) {
  Progress progress(session);
  bool away = false;
  absl::Status status;
  while (status.ok() && replay.state() == kRunning) {
    if (!away) progress.Show(replay);
    if (interrupt.WaitFor(kLook)) break;
    auto answer = AskFor(replay.replay_id(), client);
    if (answer.ok()) {
      replay = *std::move(answer);
      away = false;
    } else if (!GoesOnAfter(answer.status())) {
      status = answer.status();
    } else if (!std::exchange(away, true)) {
      progress.Clear();
      session.Warn(StrCat(MessageOf(answer.status()), "; the replay is not lost, asking again"));
    }
  }
  progress.Clear();
  return status;
}

absl::Status PrintEnd(const v1::Replay& replay, Session& session) {
  const absl::Status status =
      PrintMessage(session.paper, replay, [&] { return StrCat(ReplayEnd(replay), "\n"); });
  return status.ok() ? OutcomeOf(replay) : status;
}

// On Bloodbank itself every consumer sees the events again, so a person is asked. What was counted is
// what will be published, even if more events match meanwhile.
absl::Status ConfirmLive(v1::StartReplayRequest& request, ReplayClient& client, Session& session) {
  v1::StartReplayRequest look = request;
  look.set_dry_run(true);
  const auto replay = Start(look, client);
  if (!replay.ok()) return replay.status();
  if (replay->to_position() >= replay->from_position()) {
    request.set_to_position(replay->to_position());
  }
  return Confirm(
      StrCat("This will publish ", replay->total_exact() ? "" : "at least ", replay->total(),
             " events again on ", replay->exchange(), ", where every consumer sees them."),
      session);
}

absl::Status WaitToTheEnd(v1::Replay replay, ReplayClient& client, Session& session) {
  const auto interrupt = Interrupt::Install();
  absl::Status status = Wait(replay, *interrupt, client, session);
  const std::string& id = replay.replay_id();
  if (status.ok() && replay.state() == kRunning) {
    auto cancelled = Cancel(id, client);
    if (cancelled.ok()) return PrintEnd(*cancelled, session);
    status = cancelled.status();
  }
  if (!status.ok()) {
    return WithHint(status, StrCat("the replay may go on; `god33 event replay get ", id,
                                   "` shows it, `cancel` ends it"));
  }
  return PrintEnd(replay, session);
}

}  // namespace

absl::StatusOr<v1::StartReplayRequest> MakeRequest(const ReplayOptions& options,
                                                   const std::string& live_exchange,
                                                   absl::Time now) {
  v1::StartReplayRequest request;
  if (!options.workflow.empty()) request.set_workflow_id(options.workflow);
  if (!options.correlation.empty()) request.set_correlation_id(options.correlation);
  for (const std::string& type : options.types) request.add_event_types(type);
  if (!options.since.empty()) {
    auto since = ReadMoment("--since", options.since, now);
    if (!since.ok()) return since.status();
    *request.mutable_start_time() = *std::move(since);
  }
  if (!options.until.empty()) {
    auto until = ReadMoment("--until", options.until, now);
    if (!until.ok()) return until.status();
    *request.mutable_end_time() = *std::move(until);
  }
  if (options.from_position) request.set_from_position(*options.from_position);
  if (options.to_position) request.set_to_position(*options.to_position);
  if (request.ByteSizeLong() == 0) {
    return Usage(
        "expected a filter, so that not everything is published again; --from-position 1 is the "
        "whole log");
  }
  if (options.live) {
    request.set_live(true);
    request.set_exchange(live_exchange);
  } else if (!options.exchange.empty()) {
    request.set_exchange(options.exchange);
  }
  if (options.rate) request.set_rate(*options.rate);
  request.set_dry_run(options.dry_run);
  return request;
}

absl::Status OutcomeOf(const v1::Replay& replay) {
  if (replay.state() == "failed") {
    return MakeError(absl::StatusCode::kFailedPrecondition, "REPLAY_FAILED",
                     StrCat("the replay failed: ", replay.error()));
  }
  if (replay.state() == "cancelled") {
    return MakeError(absl::StatusCode::kCancelled, "REPLAY_CANCELLED", "the replay was cancelled");
  }
  return absl::OkStatus();
}

absl::Status StartReplay(const ReplayOptions& options, Session& session) {
  auto request =
      MakeRequest(options, Variable("GOD33_EXCHANGE", "bloodbank.events.v1"), session.clock.Now());
  if (!request.ok()) return request.status();
  ReplayClient client = ClientOf(session);
  if (options.live && !options.dry_run && !options.yes) {
    if (absl::Status status = ConfirmLive(*request, client, session); !status.ok()) return status;
  }
  auto replay = Start(*request, client);
  if (!replay.ok()) return replay.status();
  if (options.dry_run) {
    return PrintMessage(session.paper, *replay,
                        [&] { return StrCat(ReplayForecast(*replay), "\n"); });
  }
  if (options.detach) {
    return PrintMessage(session.paper, *replay, [&] { return StrCat(replay->replay_id(), "\n"); });
  }
  session.Note(StrCat("Replay ", replay->replay_id(), " on ", replay->exchange(), ", ",
                      replay->rate(), " events a second. Ctrl-C cancels it."));
  return WaitToTheEnd(*std::move(replay), client, session);
}

absl::Status ListReplays(const std::string& state, const std::optional<int>& limit,
                         Session& session) {
  v1::ListReplaysRequest request;
  request.set_state(state);
  if (limit) request.set_limit(*limit);
  const auto answer = ClientOf(session).Call(&ReplayClient::Stub::ListReplays, request);
  if (!answer.ok()) return answer.status();
  ListPrinter printer(session.paper, *v1::ListReplaysResponse::descriptor(), ReplayView());
  if (absl::Status status = printer.AddPage(*answer); !status.ok()) return status;
  return printer.Finish(*answer);
}

absl::Status GetReplay(const std::string& id, Session& session) {
  ReplayClient client = ClientOf(session);
  const auto replay = AskFor(id, client);
  if (!replay.ok()) return replay.status();
  return PrintMessage(session.paper, *replay, [&] { return ReplayDetails(*replay); });
}

absl::Status WaitForReplay(const std::string& id, Session& session) {
  ReplayClient client = ClientOf(session);
  auto replay = AskFor(id, client);
  if (!replay.ok()) return replay.status();
  const auto interrupt = Interrupt::Install();
  if (absl::Status status = Wait(*replay, *interrupt, client, session); !status.ok()) {
    return status;
  }
  if (replay->state() != kRunning) return PrintEnd(*replay, session);
  return WithHint(
      MakeError(absl::StatusCode::kCancelled, "INTERRUPTED", "the replay goes on without you"),
      StrCat("`god33 event replay cancel ", id, "` ends it"));
}

absl::Status CancelReplay(const std::string& id, Session& session) {
  ReplayClient client = ClientOf(session);
  const auto replay = Cancel(id, client);
  if (!replay.ok()) return replay.status();
  return PrintMessage(session.paper, *replay, [&] { return StrCat(ReplayEnd(*replay), "\n"); });
}

}  // namespace god33::cli
