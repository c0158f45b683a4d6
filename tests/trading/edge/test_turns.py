import asyncio

from trading.edge.turns import Turns


def test_so_many_go_on_in_a_pass_of_the_loop_and_all_in_their_order():
    async def main() -> tuple[list[int], list[int]]:
        turns, begun, begun_by_pass = Turns(3), [], []

        async def one(number: int) -> None:
            await turns.take()
            begun.append(number)

        tasks = [asyncio.create_task(one(number)) for number in range(10)]
        while not all(task.done() for task in tasks):
            before = len(begun)
            await asyncio.sleep(0)
            begun_by_pass.append(len(begun) - before)
        return begun, begun_by_pass

    begun, begun_by_pass = asyncio.run(main())
    assert begun == list(range(10))
    assert max(begun_by_pass) == 3


def test_few_never_wait():
    async def main() -> None:
        turns = Turns(2)
        for _pass in range(5):
            for _one in range(2):
                taking = turns.take()
                try:
                    taking.send(None)
                except StopIteration:
                    continue
                raise AssertionError("it waited")
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(main())


def test_one_that_gives_up_leaves_its_turn_to_the_next():
    async def main() -> list[str]:
        turns, begun = Turns(1), []

        async def one(name: str) -> None:
            await turns.take()
            begun.append(name)

        first, second, third = [asyncio.create_task(one(name)) for name in ("first", "second", "third")]
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait_for(asyncio.gather(first, third), 5)
        return begun

    assert asyncio.run(main()) == ["first", "third"]
