#include "tools/god33/event_causation.h"

#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "tools/god33/api_client.h"
#include "tools/god33/event_tree.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

constexpr int kMostDrawn = 1000;  // at once; --all draws all

// What differs between the two directions.
struct Down {
  using Request = v1::GetDescendantsRequest;
  using Response = v1::GetDescendantsResponse;
  using Flat = v1::Descendants;
  static constexpr auto kMethod = &ApiClient::Stub::GetDescendants;
  static std::int64_t TotalOf(const Flat& flat) { return flat.total_descendants(); }
  static constexpr char kWhat[] = "descendants";
};

struct Up {
  using Request = v1::GetAncestorsRequest;
  using Response = v1::GetAncestorsResponse;
  using Flat = v1::Ancestors;
  static constexpr auto kMethod = &ApiClient::Stub::GetAncestors;
  static std::int64_t TotalOf(const Flat& flat) { return flat.total_ancestors(); }
  static constexpr char kWhat[] = "ancestors";
};

template <typename Way>
typename Way::Request MakeRequest(const CausationOptions& options, bool drawn) {
  typename Way::Request request;
  request.set_event_id(options.id);
  // A drawing has the shape of a tree anyway, and is made of pages.
  request.set_format(drawn ? "flat" : options.format);
  if (options.max_depth) request.set_max_depth(*options.max_depth);
  SetPaging(options.paging, request);
  if (drawn && options.format != "flat" && !options.paging.limit) request.set_limit(kMostDrawn);
  return request;
}

template <typename Way>
void NoteTheRest(const typename Way::Flat& last, Session& session) {
  const std::string total = StrCat(last.truncated() ? "at least " : "", Way::TotalOf(last));
  if (!last.next_page_token().empty()) {
    session.Note(StrCat("There are more (", total, " ", Way::kWhat, "). Go on with: --page-token ",
                        last.next_page_token(), " and the same --max-depth; or take --all."));
  } else if (last.truncated()) {
    session.Note(StrCat("There are more than the service walks to (", total, ")."));
  }
}

// The format flat, which has pages.
template <typename Way, typename Printer>
absl::Status ShowPages(const typename Way::Request& request, bool all, Printer& printer,
                       Session& session) {
  ApiClient client(session.options.api_address, session.options.timeout);
  using Page = absl::StatusOr<typename Way::Flat>;
  const Page last =
      PrintPages(request, all, printer, [&client](const typename Way::Request& page) -> Page {
        auto answer = client.Call(Way::kMethod, page);
        if (!answer.ok()) return answer.status();
        return std::move(*answer->mutable_flat());
      });
  if (!last.ok()) return last.status();
  NoteTheRest<Way>(*last, session);
  return absl::OkStatus();
}

template <typename Way>
absl::StatusOr<typename Way::Response> Ask(const CausationOptions& options, Session& session) {
  return ApiClient(session.options.api_address, session.options.timeout)
      .Call(Way::kMethod, MakeRequest<Way>(options, false));
}

absl::Status CheckPaging(const CausationOptions& options) {
  if (!options.paging.all) return absl::OkStatus();
  return InvalidField("--all", "only the format flat has pages");
}

template <typename Way>
absl::Status Show(const CausationOptions& options, Session& session) {
  const bool drawn = session.paper.format == Format::kTable;
  if (drawn) {
    TreePrinter printer(session.paper);
    return ShowPages<Way>(MakeRequest<Way>(options, true), options.paging.all, printer, session);
  }
  if (options.format == "flat") {
    ListPrinter printer(session.paper, *Way::Flat::descriptor(), {});
    return ShowPages<Way>(MakeRequest<Way>(options, false), options.paging.all, printer, session);
  }
  if (absl::Status status = CheckPaging(options); !status.ok()) return status;
  const auto answer = Ask<Way>(options, session);
  if (!answer.ok()) return answer.status();
  if constexpr (std::is_same_v<Way, Down>) {
    if (answer->has_tree()) return PrintJson(session.paper, answer->tree().text(), nullptr);
  }
  return PrintMessage(session.paper, answer->graph(), nullptr);
}

}  // namespace

absl::Status ShowDescendants(const CausationOptions& options, Session& session) {
  return Show<Down>(options, session);
}

absl::Status ShowAncestors(const CausationOptions& options, Session& session) {
  return Show<Up>(options, session);
}

}  // namespace god33::cli
