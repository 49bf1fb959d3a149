// isthmus/python/pool.hpp — the worker threads of py::in_thread. They never attach to Python.
// SPDX-License-Identifier: MIT
#pragma once

#include "state.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <unistd.h>
#include <vector>

namespace isthmus::inline v1::py::detail {

/// Work for the pool. `stop` may be requested by any thread.
class pool_job {
public:
    explicit pool_job(bool can_stop) noexcept : takes_token(can_stop) {}
    virtual ~pool_job() = default;
    pool_job(const pool_job&) = delete;
    pool_job& operator=(const pool_job&) = delete;

    virtual void run() noexcept = 0;
    /// Sends the job, run or not, back to where it came from. The worker's pointer is given up.
    virtual void give_back(std::shared_ptr<pool_job> self) noexcept = 0;

    std::stop_source stop;
    const bool takes_token;
};

/// Threads that run jobs, made when they are needed: those of one interpreter, which end when it does. The pool is
/// never destroyed and its threads never joined, so that one which is still busy then touches nothing that is gone.
class thread_pool {
public:
    /// The pool of this interpreter; a forked child makes its own. Needs the GIL. Throws what `atexit.register` raises.
    static thread_pool& get() {
        std::atomic<thread_pool*>& shared = interpreter_state::get().pool;
        thread_pool* current = shared.load(std::memory_order_acquire);
        if (current == nullptr || current->process_ != ::getpid()) {
            auto made = std::make_unique<thread_pool>();
            made->stop_at_exit();
            thread_pool* const registered = made.release();
            if (shared.compare_exchange_strong(current, registered, std::memory_order_acq_rel)) {
                current = registered;
            } // else another thread was faster
        }
        return *current;
    }

    /// Throws py::error: RuntimeError when the interpreter is shutting down, and std::system_error if there are no
    /// threads and none can be made.
    void submit(std::shared_ptr<pool_job> job) {
        std::unique_lock lock(mutex_);
        if (stopping_) {
            throw error(PyExc_RuntimeError, "isthmus: cannot start a thread at interpreter shutdown");
        }
        if (idle_ <= queue_.size() && threads_ < limit()) {
            try {
                std::thread(&thread_pool::work, this).detach();
                ++threads_;
            } catch (const std::system_error&) {
                if (threads_ == 0) {
                    throw;
                }
            }
        }
        queue_.push_back(std::move(job));
        lock.unlock(); // which the one who wakes up needs
        wake_.notify_one();
    }

private:
    // As concurrent.futures.ThreadPoolExecutor has it: the work is expected to block rather than to compute.
    static std::size_t limit() { return std::min<std::size_t>(32, std::thread::hardware_concurrency() + 4); }

    void work() noexcept {
        std::unique_lock lock(mutex_);
        while (true) {
            ++idle_;
            wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
            --idle_;
            if (queue_.empty()) {
                return;
            }
            std::shared_ptr<pool_job> job = std::move(queue_.front());
            queue_.pop_front();
            const bool stoppable = job->takes_token;
            stoppable_ += stoppable ? 1 : 0;
            running_.push_back(job.get());
            lock.unlock();
            if (!job->stop.stop_requested()) {
                job->run();
            }
            lock.lock();
            std::erase(running_, job.get());
            lock.unlock();
            job->give_back(std::move(job));
            lock.lock();
            stoppable_ -= stoppable ? 1 : 0;
            finished_.notify_all();
        }
    }

    /// Registers with Python's atexit: asks all running jobs to stop, and waits for those that can hear it, without
    /// the GIL. The others go on, detached.
    void stop_at_exit() {
        const object capsule = checked(PyCapsule_New(this, nullptr, nullptr));
        const object function = checked(PyCFunction_New(stop_method(), capsule.ptr()));
        const object atexit = checked(PyImport_ImportModule("atexit"));
        checked(PyObject_CallMethod(atexit.ptr(), "register", "O", function.ptr()));
    }
    static PyObject* stop_all(PyObject* capsule, PyObject*) noexcept {
        auto* const pool = static_cast<thread_pool*>(PyCapsule_GetPointer(capsule, nullptr));
        if (pool->process_ != ::getpid()) {
            Py_RETURN_NONE; // a forked child: the threads are the parent's
        }
        std::deque<std::shared_ptr<pool_job>> unstarted;
        Py_BEGIN_ALLOW_THREADS {
            std::unique_lock lock(pool->mutex_);
            pool->stopping_ = true;
            unstarted.swap(pool->queue_);
            std::vector<std::stop_source> sources; // their callbacks may take any lock
            sources.reserve(pool->running_.size());
            for (const pool_job* const job : pool->running_) {
                sources.push_back(job->stop);
            }
            lock.unlock();
            pool->wake_.notify_all();
            for (std::stop_source& source : sources) {
                source.request_stop();
            }
            lock.lock();
            pool->finished_.wait(lock, [pool] { return pool->stoppable_ == 0; });
        }
        Py_END_ALLOW_THREADS unstarted.clear(); // with the GIL
        Py_RETURN_NONE;
    }
    static PyMethodDef* stop_method() noexcept {
        static PyMethodDef method{"isthmus_stop_threads", stop_all, METH_NOARGS, nullptr};
        return &method;
    }

    const pid_t process_ = ::getpid();
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable finished_;
    std::deque<std::shared_ptr<pool_job>> queue_;
    std::vector<const pool_job*> running_;
    std::size_t stoppable_ = 0; ///< running or being given back, with a stop token
    std::size_t threads_ = 0;
    std::size_t idle_ = 0;
    bool stopping_ = false;
};

} // namespace isthmus::inline v1::py::detail
