// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sessions that several threads, callbacks and forked processes use.

#include "test/unit/runtime/ChildProcess.h"
#include "test/unit/runtime/Engine.h"

#include <atomic>
#include <functional>
#include <thread>
#include <unistd.h>

using namespace sortie::test;

namespace {

const std::string kInUse = "the session is in use by a call that has not returned yet";

/// A run that calls `during` from its observer, once.
class ObservedRun {
public:
  ObservedRun(Mix &mix, std::function<void()> during) : mix(mix), during(std::move(during)) {
    observer.user = this;
    observer.step = [](void *user, const sortie_step_info *) {
      auto &self = *static_cast<ObservedRun *>(user);
      if (!std::exchange(self.isCalled, true))
        self.during();
    };
  }
  std::string operator()() {
    return run(mix.engine.session, mix.inputs(), mix.outputs(), &observer);
  }

private:
  Mix &mix;
  std::function<void()> during;
  bool isCalled = false;
  sortie_observer observer = SORTIE_INIT(sortie_observer);
};

/// Expects that every function of a session and of its run says that the session is in use.
void expectInUse(Mix &mix, sortie_run *submitted) {
  std::vector<float> y(16, -1.0f);
  const RunOptions arguments(mix.inputs(), {{"y", SORTIE_F32, {2, 8}, y.data()}});
  sortie_session *session = mix.engine.session;
  uint64_t time = 0;
  int isComplete = -1;
  sortie_run *another = nullptr;
  const std::pair<const char *, sortie_error *> calls[] = {
      {"sortie_session_run", sortie_session_run(session, &arguments.options)},
      {"sortie_session_time", sortie_session_time(session, &arguments.options, 1, &time)},
      {"sortie_session_submit", sortie_session_submit(session, &arguments.options, &another)},
      {"sortie_session_query", sortie_session_query(session, &isComplete)},
      {"sortie_session_wait", sortie_session_wait(session)},
      {"sortie_run_query", sortie_run_query(submitted, &isComplete)},
      {"sortie_run_wait", sortie_run_wait(submitted)}};
  for (const auto &[function, error] : calls) {
    sortie_error_code code = SORTIE_SUCCESS;
    const std::string message = take(error, &code);
    EXPECT_EQ(message.rfind(function + (": " + kInUse), 0), 0u) << function << ": " << message;
    EXPECT_EQ(code, SORTIE_ERROR_INVALID);
  }
  EXPECT_EQ(isComplete, -1);
  EXPECT_EQ(another, nullptr);
  EXPECT_EQ(y, std::vector<float>(16, -1.0f));
}

} // namespace

//===- Threads -----------------------------------------------------------===//

TEST(SharedSession, callbacksCannotUseTheirSession) {
  Mix mix;
  const RunOptions arguments(mix.inputs(), mix.outputs());
  sortie_run *submitted = nullptr;
  EXPECT_EQ(take(sortie_session_submit(mix.engine.session, &arguments.options, &submitted)), "");
  ObservedRun observed(mix, [&] { expectInUse(mix, submitted); });
  EXPECT_EQ(observed(), "");
  EXPECT_EQ(mix.y, mix.expected());
  EXPECT_EQ(take(sortie_run_wait(submitted)), "");
  sortie_run_destroy(submitted);
  EXPECT_EQ(run(mix.engine.session, mix.inputs(), mix.outputs()), "");
}

TEST(SharedSession, anotherThreadIsRefused) {
  Mix mix;
  const RunOptions arguments(mix.inputs(), mix.outputs());
  sortie_run *submitted = nullptr;
  EXPECT_EQ(take(sortie_session_submit(mix.engine.session, &arguments.options, &submitted)), "");
  ObservedRun observed(mix, [&] { std::thread([&] { expectInUse(mix, submitted); }).join(); });
  EXPECT_EQ(observed(), "");
  EXPECT_EQ(mix.y, mix.expected());
  sortie_run_destroy(submitted);
}

TEST(SharedSession, noRaceGivesWrongBits) {
  Mix mix;
  std::atomic<int> refused = 0, done = 0;
  auto loop = [&] {
    std::vector<float> y(16);
    for (int i = 0; i < 500; ++i) {
      y.assign(16, -1.0f);
      const std::string message =
          run(mix.engine.session, mix.inputs(), {{"y", SORTIE_F32, {2, 8}, y.data()}});
      if (message.empty()) {
        ++done;
        EXPECT_EQ(y, mix.expected());
      } else {
        ++refused;
        EXPECT_TRUE(contains(message, kInUse)) << message;
        EXPECT_EQ(y, std::vector<float>(16, -1.0f));
      }
    }
  };
  std::thread other(loop);
  loop();
  other.join();
  EXPECT_EQ(refused + done, 1000);
  EXPECT_GE(done.load(), 500); // never both refused
}

TEST(SharedSession, errorsLeaveASessionUsable) {
  Mix mix;
  mix.ids[0] = 99;
  EXPECT_TRUE(contains(run(mix.engine.session, mix.inputs(), mix.outputs()), "expert id 99"));
  mix.ids[0] = 3;
  EXPECT_EQ(run(mix.engine.session, mix.inputs(), mix.outputs()), "");
}

TEST(SharedSession, aSessionInUseIsDestroyedWhenTheCallReturns) {
  Mix mix;
  const RunOptions arguments(mix.inputs(), mix.outputs());
  sortie_run *submitted = nullptr;
  EXPECT_EQ(take(sortie_session_submit(mix.engine.session, &arguments.options, &submitted)), "");
  ObservedRun observed(mix, [&] {
    sortie_session_destroy(std::exchange(mix.engine.session, nullptr));
    EXPECT_TRUE(contains(take(sortie_run_wait(submitted)), kInUse));
  });
  EXPECT_EQ(observed(), "");
  EXPECT_EQ(mix.y, mix.expected());
  EXPECT_EQ(take(sortie_run_wait(submitted)), "");
  sortie_run_destroy(submitted);
}

//===- Processes ---------------------------------------------------------===//

TEST(SharedSession, aForkedProcessIsToldThatTheSessionIsNotItsOwn) {
  Mix mix;
  const RunOptions arguments(mix.inputs(), mix.outputs());
  sortie_run *submitted = nullptr;
  EXPECT_EQ(take(sortie_session_submit(mix.engine.session, &arguments.options, &submitted)), "");
  const std::string expected = ": the session belongs to process " + std::to_string(getpid());
  EXPECT_EQ(inChild([&] {
              std::string wrong;
              int isComplete = 0;
              for (sortie_error *error :
                   {sortie_session_run(mix.engine.session, &arguments.options),
                    sortie_session_submit(mix.engine.session, &arguments.options, nullptr),
                    sortie_session_wait(mix.engine.session), sortie_run_wait(submitted),
                    sortie_run_query(submitted, &isComplete)})
                if (const std::string message = take(error); !contains(message, expected))
                  wrong += message + "\n";
              sortie_run_destroy(submitted);
              sortie_session_destroy(mix.engine.session); // must not wait for threads
              return wrong;
            }),
            "");
  EXPECT_EQ(run(mix.engine.session, mix.inputs(), mix.outputs()), "");
  sortie_run_destroy(submitted);
}

TEST(SharedSession, aProcessForkedDuringARunIsTold) {
  Mix mix;
  std::string message;
  ObservedRun observed(mix, [&] {
    message = inChild([&] {
      const std::string result = run(mix.engine.session, mix.inputs(), mix.outputs());
      sortie_session_destroy(mix.engine.session);
      return result;
    });
  });
  EXPECT_EQ(observed(), "");
  EXPECT_TRUE(contains(message, "sortie_session_run: the session belongs to process ")) << message;
  EXPECT_TRUE(contains(message, "make sessions after the fork"));
}

TEST(SharedSession, aForkedProcessMakesASessionOfItsOwn) {
  Mix mix;
  EXPECT_EQ(inChild([&] {
              sortie_session_destroy(std::exchange(mix.engine.session, nullptr));
              std::string message = mix.engine.open();
              if (message.empty())
                message = run(mix.engine.session, mix.inputs(), mix.outputs());
              if (mix.y != mix.expected())
                message += "other numbers";
              sortie_session_destroy(mix.engine.session);
              sortie_weights_destroy(mix.engine.weights);
              sortie_program_destroy(mix.engine.program);
              return message;
            }),
            "");
}
