"""Processes that train one detector together, and what each of them reports."""

import multiprocessing
import os
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from helpers import make_samples, weights_of
from skorch.callbacks import Callback

from skanomaly import EGBAD, Autoencoder

N_PROCESSES = 2
SECONDS = 60


class Die(Callback):
    """End one of the processes without a word, as a machine does that fails."""

    def on_epoch_end(self, net, **kwargs):
        if dist.get_rank() == 1:
            os._exit(9)


class RecordSeed(Callback):
    """Write the seed of the noise into the history."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("seed", net.module_.random_generator.initial_seed())


def make_trainer(Detector=Autoencoder, net_params=None, **params):
    """Make a detector whose last batch has one sample, which can't be divided."""
    own = {"hidden_sizes": (16,), "latent_size": 2, "batch_size": 33, "max_epochs": 3}
    own |= {"learning_rate": 0.01, "random_state": 0}
    return Detector(**own | params, net_params=net_params)


def train(X=None, callbacks=(), **params):
    """Train with the other processes; return what was learned."""
    net_params = {"data_parallel": True, "callbacks": list(callbacks)}
    detector = make_trainer(net_params=net_params, **params)
    detector.fit(make_samples() if X is None else X)
    return arrays_of(detector), detector.history_, detector.offset_


def arrays_of(detector):
    """Return the weights as what can be sent to another process."""
    return {name: value.numpy() for name, value in weights_of(detector).items()}


TASKS = {
    "plain": lambda rank: train(),
    "stopped": lambda rank: train(early_stopping=True, max_epochs=30),
    "adversarial": lambda rank: train(Detector=EGBAD),
    "noise": lambda rank: train(noise_std=0.5, callbacks=[RecordSeed]),
    "other seed": lambda rank: train(random_state=rank),
    "other samples": lambda rank: train(make_samples(seed=rank)),
    "dead": lambda rank: train(callbacks=[Die]),  # the last one, of course
}


def work(rank, folder, pipe):
    """Do all tasks in one process, and send what came out."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/rendezvous",
        rank=rank,
        world_size=N_PROCESSES,
        timeout=timedelta(seconds=SECONDS),
    )
    for task in TASKS.values():
        try:
            result = task(rank)
        except (RuntimeError, ValueError) as error:
            result = error
        pipe.send(result)


def run_tasks(folder):
    """Run all tasks in processes; return what each of them sent, by task."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for rank in range(N_PROCESSES):
        here, there = context.Pipe()
        process = context.Process(target=work, args=(rank, folder, there))
        process.start()
        there.close()
        pipes.append(here)
        processes.append(process)
    try:
        return {task: [_receive(pipe) for pipe in pipes] for task in TASKS}
    finally:
        for process in processes:
            process.kill()
            process.join()


def _receive(pipe):
    """Wait for a process, not for ever; None if it is dead."""
    if not pipe.poll(SECONDS):
        raise TimeoutError("A process hangs.")
    try:
        return pipe.recv()
    except EOFError:
        return None


def largest_difference(a, b):
    """Return how much two dictionaries of arrays differ."""
    return max(float(np.abs(a[name] - b[name]).max()) for name in a)
