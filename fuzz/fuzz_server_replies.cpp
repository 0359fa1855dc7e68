// What servers answer: S3's XML, MLflow's JSON through the tracker, Retry-After, URLs. Whatever
// comes, there is a value or one line of error.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/clock.h"
#include "net/http.h"
#include "net/retry.h"
#include "net/s3.h"
#include "net/url.h"
#include "tracking/mlflow_tracker.h"

namespace {

/// Answers every request with the same bytes; the first few say that they are JSON of a run, so
/// that calls get beyond their first request.
class OneAnswer final : public tw::net::Http {
 public:
  OneAnswer(int status, std::string body) : status_(status), body_(std::move(body)) {}

  using tw::net::Http::Send;

  tw::Result<tw::net::HttpResponse> Send(const tw::net::HttpRequest& request,
                                         tw::net::SendNote& note) override {
    note.delivery = tw::net::Delivery::kUnknown;
    if (request.url.find("/runs/get") != std::string::npos) {
      return tw::net::HttpResponse{
          .status = 200,
          .body =
              R"({"run":{"info":{"run_id":"r","experiment_id":"1","artifact_uri":"mlflow-artifacts:/1/r"}}})"};
    }
    // A listing whose directories hold themselves ends by a limit, which takes long to reach.
    if (++sent_ > 64) return tw::Error{tw::ErrorCode::kExternal, "enough"};
    return tw::net::HttpResponse{.status = status_, .body = body_};
  }

 private:
  int status_;
  std::string body_;
  int sent_ = 0;
};

template <class T>
void OneLine(const tw::Result<T>& result) {
  if (result.ok()) return;
  TW_CHECK(result.error().message.find('\n') == std::string::npos, "an error of several lines");
}

void Ask(int status, const std::string& body) {
  using tw::tracking::MlflowTracker;
  const tw::ManualClock clock(tw::UnixNanos::FromSeconds(1));
  const auto with = [&](auto&& call) {
    OneAnswer server(status, body);
    const auto tracker =
        MlflowTracker::Open({.uri = "http://127.0.0.1:5000"}, server, server, clock).value();
    OneLine(call(*tracker));
  };
  with([](MlflowTracker& t) { return t.ServerVersion(); });
  with([](MlflowTracker& t) { return t.GetOrCreateExperiment("e"); });
  with([](MlflowTracker& t) { return t.Experiments(); });
  with([](MlflowTracker& t) { return t.CreateRun({"1", "r", "", {}}); });
  with([](MlflowTracker& t) { return t.SearchRuns({.experiment_ids = {"1"}}); });
  with([](MlflowTracker& t) { return t.MetricHistory("r", "m"); });
  with([](MlflowTracker& t) { return t.ListArtifacts("r"); });
  with([](MlflowTracker& t) { return t.ReadArtifact("r", "a"); });
  with([](MlflowTracker& t) { return t.RegisteredModels(); });
  with([](MlflowTracker& t) { return t.ModelVersions("m"); });
  with([](MlflowTracker& t) { return t.GetModelVersionByAlias("m", "a"); });
  const std::vector<tw::tracking::ArtifactFile> files = {{"MLmodel", body}};
  with([&](MlflowTracker& t) { return t.LogModel("r", "m", files); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string body(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0:
      Ask(200, body);
      break;
    case 1:
      Ask(400 + data[0] / 4, body);
      break;
    case 2: {
      const auto page = tw::net::ParseS3Page(body);
      OneLine(page);
      OneLine(tw::net::ParseS3UploadId(body));
      TW_CHECK(tw::net::ParseS3Error(body).find('\n') == std::string::npos, "several lines");
      break;
    }
    default: {
      const auto wait = tw::net::ParseRetryAfterMs(body, tw::UnixNanos::FromSeconds(1'700'000'000));
      TW_CHECK(!wait || *wait >= 0, "a wait of {} ms", *wait);
      const auto url = tw::net::ParseUrl(body);
      OneLine(url);
      if (url.ok()) {
        const auto again = tw::net::ParseUrl(url->origin() + url->path);
        TW_CHECK(again.ok() && again->origin() == url->origin(), "origin '{}'", url->origin());
      }
      TW_CHECK(tw::net::UnescapeUrl(tw::net::EscapeUrl(body)) == body, "escaping");
    }
  }
  return 0;
}
