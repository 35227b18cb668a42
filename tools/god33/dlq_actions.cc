#include "tools/god33/dlq_actions.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "json/check.h"
#include "tools/god33/api_client.h"
#include "tools/god33/confirm.h"
#include "tools/god33/dlq_view.h"
#include "tools/god33/input.h"
#include "tools/god33/moment.h"
#include "tools/god33/text.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

constexpr std::size_t kMostEdited = 16 << 20;

// Beyond --timeout, which is for one answer: how long going through many may take by its rate.
constexpr int kDefaultLimit = 1000;
constexpr int kDefaultRate = 100;

DeadLetterClient ClientOf(const Session& session, absl::Duration more = absl::ZeroDuration()) {
  return DeadLetterClient(EventStoreManager(), session.options.timeout + more);
}

// `request` has the fields of DeadLetterFilter.
template <typename Request>
absl::Status SetFilters(const DeadLetterFilters& filters, absl::Time now, Request& request) {
  if (!filters.reason.empty()) request.set_reason(filters.reason);
  if (!filters.type.empty()) request.set_event_type(filters.type);
  if (!filters.routing_key.empty()) request.set_routing_key(filters.routing_key);
  if (!filters.since.empty()) {
    auto since = ReadMoment("--since", filters.since, now);
    if (!since.ok()) return since.status();
    *request.mutable_since() = *std::move(since);
  }
  if (!filters.until.empty()) {
    auto until = ReadMoment("--until", filters.until, now);
    if (!until.ok()) return until.status();
    *request.mutable_until() = *std::move(until);
  }
  return absl::OkStatus();
}

// A page token belongs to its filters, so spans of time must become the times they were.
std::string HowToGoOn(const v1::ListDeadLettersRequest& request,
                      const v1::ListDeadLettersResponse& answer) {
  std::string text =
      StrCat("There are more (", answer.total_exact() ? "" : "at least ", answer.total(),
             " match). Go on with: --page-token ", answer.next_page_token());
  if (request.has_since()) StrAppend(&text, " --since ", TextOf(request.since()));
  if (request.has_until()) StrAppend(&text, " --until ", TextOf(request.until()));
  return StrCat(text, " and the same other filters; or take --all.");
}

// What is done to many is confirmed.
absl::Status Confirm(const DeadLetterActionOptions& options, std::int64_t matched,
                     std::string_view what, Session& session) {
  return options.yes ? absl::OkStatus()
                     : Confirm(StrCat("This will ", what, " ", matched, " dead letters."), session);
}

absl::Status SetEdit(const std::string& edit, v1::SendBackDeadLetterRequest& request) {
  if (edit.empty()) return absl::OkStatus();
  auto body = ReadTextArgument("--edit", edit, kMostEdited);
  if (!body.ok()) return body.status();
  if (body->empty()) return InvalidField("--edit", "expected at least one byte");
  if (json::Check(*body).ok()) {
    request.mutable_edited()->set_text(*std::move(body));
  } else {
    request.set_edited_bytes(*std::move(body));
  }
  return absl::OkStatus();
}

absl::Status SendBackOne(const DeadLetterActionOptions& options, Session& session) {
  v1::SendBackDeadLetterRequest request;
  request.set_dead_letter_id(*options.id);
  request.set_again(options.again);
  request.set_dry_run(options.dry_run);
  if (absl::Status status = SetEdit(options.edit, request); !status.ok()) return status;
  const auto answer = ClientOf(session).Call(&DeadLetterClient::Stub::SendBackDeadLetter, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, *answer, [&]() -> std::string {
    if (!options.dry_run) return StrCat("dead letter ", *options.id, " was sent back\n");
    if (answer->verdict().empty()) return "it would be stored\n";
    return StrCat("it would be a dead letter again: ", Visible(answer->verdict()), "\n");
  });
}

absl::StatusOr<v1::SendBackDeadLettersResponse> SendAll(const DeadLetterActionOptions& options,
                                                        bool dry_run, Session& session) {
  v1::SendBackDeadLettersRequest request;
  absl::Status status = SetFilters(options.filters, session.clock.Now(), *request.mutable_filter());
  if (!status.ok()) return status;
  if (options.limit) request.set_limit(*options.limit);
  if (options.rate) request.set_rate(*options.rate);
  request.set_dry_run(dry_run);
  const absl::Duration pace = absl::Seconds(1) * options.limit.value_or(kDefaultLimit) /
                              options.rate.value_or(kDefaultRate);
  return ClientOf(session, 2 * pace).Call(&DeadLetterClient::Stub::SendBackDeadLetters, request);
}

absl::Status SendBackAll(const DeadLetterActionOptions& options, Session& session) {
  if (!options.dry_run && !options.yes) {
    const auto look = SendAll(options, /*dry_run=*/true, session);
    if (!look.ok()) return look.status();
    absl::Status status = Confirm(options, look->matched(), "send back", session);
    if (!status.ok()) return status;
  }
  const auto answer = SendAll(options, options.dry_run, session);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, *answer, [&] {
    if (options.dry_run) {
      return StrCat(answer->matched(), " match, ", answer->readable(), " could be read now\n");
    }
    return StrCat(answer->sent_back(), " of ", answer->matched(), " sent back",
                  answer->unroutable() > 0
                      ? StrCat("; ", answer->unroutable(), " can't be: `send-back ID` says why")
                      : "",
                  "\n");
  });
}

absl::Status DropOne(const DeadLetterActionOptions& options, Session& session) {
  DeadLetterClient client = ClientOf(session);
  if (options.dry_run) {
    v1::GetDeadLetterRequest request;
    request.set_dead_letter_id(*options.id);
    const auto answer = client.Call(&DeadLetterClient::Stub::GetDeadLetter, request);
    if (!answer.ok()) return answer.status();
    v1::DropDeadLetterResponse shown;
    *shown.mutable_dead_letter() = answer->dead_letter();
    return PrintMessage(session.paper, shown,
                        [&] { return StrCat("dead letter ", *options.id, " would be dropped\n"); });
  }
  v1::DropDeadLetterRequest request;
  request.set_dead_letter_id(*options.id);
  const auto answer = client.Call(&DeadLetterClient::Stub::DropDeadLetter, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, *answer,
                      [&] { return StrCat("dead letter ", *options.id, " is dropped\n"); });
}

absl::StatusOr<v1::DropDeadLettersResponse> DropAll(const DeadLetterActionOptions& options,
                                                    bool dry_run, Session& session) {
  v1::DropDeadLettersRequest request;
  absl::Status status = SetFilters(options.filters, session.clock.Now(), *request.mutable_filter());
  if (!status.ok()) return status;
  if (options.limit) request.set_limit(*options.limit);
  request.set_dry_run(dry_run);
  return ClientOf(session, absl::Minutes(1))
      .Call(&DeadLetterClient::Stub::DropDeadLetters, request);
}

absl::Status DropMany(const DeadLetterActionOptions& options, Session& session) {
  if (!options.dry_run && !options.yes) {
    const auto look = DropAll(options, /*dry_run=*/true, session);
    if (!look.ok()) return look.status();
    absl::Status status = Confirm(options, look->matched(), "drop", session);
    if (!status.ok()) return status;
  }
  const auto answer = DropAll(options, options.dry_run, session);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, *answer, [&] {
    if (options.dry_run) return StrCat(answer->matched(), " match\n");
    return StrCat(answer->dropped(), " of ", answer->matched(), " dropped\n");
  });
}

}  // namespace

absl::Status CheckAction(const DeadLetterActionOptions& options) {
  if (options.id && options.all_matching) return Usage("expected ID or --all-matching, not both");
  if (!options.id && !options.all_matching) {
    return Usage("expected ID, or --all-matching for all that match the filters");
  }
  if (options.id && (!options.filters.empty() || options.limit || options.rate)) {
    return Usage("filters, --limit and --rate belong to --all-matching");
  }
  if (options.all_matching && (!options.edit.empty() || options.again)) {
    return Usage("--edit and --again belong to one ID");
  }
  return absl::OkStatus();
}

absl::Status ListDeadLetters(const DeadLetterListOptions& options, Session& session) {
  v1::ListDeadLettersRequest request;
  absl::Status status = SetFilters(options.filters, session.clock.Now(), request);
  if (!status.ok()) return status;
  request.set_state(options.state);
  SetPaging(options.paging, request);
  DeadLetterClient client = ClientOf(session);
  ListPrinter printer(session.paper, *v1::ListDeadLettersResponse::descriptor(), DeadLetterView());
  const auto last = PrintPages(request, options.paging.all, printer,
                               [&client](const v1::ListDeadLettersRequest& page) {
                                 return client.Call(&DeadLetterClient::Stub::ListDeadLetters, page);
                               });
  if (!last.ok()) return last.status();
  if (!last->next_page_token().empty()) session.Note(HowToGoOn(request, *last));
  return absl::OkStatus();
}

absl::Status ShowDeadLetter(std::int64_t id, bool raw, Session& session) {
  v1::GetDeadLetterRequest request;
  request.set_dead_letter_id(id);
  const auto answer = ClientOf(session).Call(&DeadLetterClient::Stub::GetDeadLetter, request);
  if (!answer.ok()) return answer.status();
  const v1::DeadLetter& letter = answer->dead_letter();
  if (!raw) {
    return PrintMessage(session.paper, letter, [&] { return DeadLetterDetails(letter); });
  }
  if (letter.body_size() != static_cast<std::int64_t>(letter.body().size())) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "BODY_TOO_LARGE",
                     StrCat("the body has ", letter.body_size(),
                            " bytes, which is too much for this; it is in the table dead_letters"));
  }
  session.paper.out.Write(letter.body());
  return session.paper.out.Flush();
}

absl::Status SendBackDeadLetters(const DeadLetterActionOptions& options, Session& session) {
  if (absl::Status status = CheckAction(options); !status.ok()) return status;
  return options.id ? SendBackOne(options, session) : SendBackAll(options, session);
}

absl::Status DropDeadLetters(const DeadLetterActionOptions& options, Session& session) {
  if (absl::Status status = CheckAction(options); !status.ok()) return status;
  return options.id ? DropOne(options, session) : DropMany(options, session);
}

}  // namespace god33::cli
