#include "mayfly/pool/jobs.h"

#include <utility>

namespace mayfly {

Jobs::~Jobs() {
  for (Job& job : jobs_) {
    job.thread.join();
  }
}

void Jobs::start(std::function<void()> work) {
  Job& job = jobs_.emplace_back();
  try {
    job.thread = std::thread([&job, work = std::move(work)] {
      work();
      job.done = true;
    });
  } catch (...) {
    jobs_.pop_back();
    throw;
  }
}

void Jobs::join_done() {
  for (auto at = jobs_.begin(); at != jobs_.end();) {
    if (at->done) {
      at->thread.join();
      at = jobs_.erase(at);
    } else {
      ++at;
    }
  }
}

}  // namespace mayfly
