// The steps, in their order. One that fails ends its conversation; one may be left out.

export const LEFT_OUT = "left out";
// matrix-js-sdk waits for 10 s at the most.
const BACKED_UP_MS = 12_000;

export const pairs = {
    "both register": async (anna, ben, { token }) => {
        await anna.register(token);
        await ben.register(token);
    },
    "anna takes a name": async (anna) => {
        anna.called = `Anna ${anna.name.slice(4)}`;
        await anna.rename(anna.called);
    },
    "anna creates a room and invites ben": async (anna, ben) => {
        anna.garden = `Garden ${anna.name}`;
        await anna.createRoom({ name: anna.garden });
        await anna.invite(ben.id);
    },
    "ben accepts and sees who is there": async (anna, ben) => {
        await ben.accept(anna.garden);
        await ben.sees(anna.called);
    },
    "they talk, and see each other type and read": async (anna, ben) => {
        await anna.say("hello ben");
        await ben.sees("hello ben");
        await ben.write("hello");
        await anna.seesTyping();
        await ben.page.keyboard.type(" anna");
        await ben.page.keyboard.press("Enter");
        await anna.sees("hello anna");
        await anna.seesReceipt("hello anna");
    },
    "ben looks away and sees how much is unread": async (anna, ben) => {
        await ben.lookAway();
        await anna.say("are you there?");
        await anna.say("ben?");
        await ben.seesUnread(anna.garden, 2);
        await ben.open(anna.garden);
        await ben.sees("ben?");
    },
    "anna sends a picture": async (anna, ben, { picture }) => {
        await anna.sendPicture(picture);
        await anna.seesPicture();
        await ben.seesPicture();
    },
    "ben edits, anna reacts and replies": async (anna, ben) => {
        await ben.say("an oak");
        await anna.sees("an oak");
        await ben.edit("an oak", " tree");
        await anna.sees("an oak tree");
        await anna.react("an oak tree", "🎉");
        await ben.sees("🎉");
        await anna.reply("an oak tree", "it is a birch");
        await ben.sees("it is a birch");
    },
    "ben takes something back": async (anna, ben) => {
        await ben.say("a slip");
        await anna.sees("a slip");
        await ben.redact("a slip");
        await anna.seesNoMore("a slip");
    },
    "they meet in a public room": async (anna, ben) => {
        anna.market = `Market ${anna.name}`;
        await anna.createRoom({ name: anna.market, open: true, alias: `market-${anna.name}` });
        await ben.joinFromDirectory(anna.market);
        await ben.say("what a crowd");
        await anna.sees("what a crowd");
        await ben.leave(anna.market);
    },
    // Only Element Web shows who is there, and only of those one has such a room with.
    "anna starts a chat and sees that ben is there": async (anna, ben) => {
        if (!anna.startChat) return LEFT_OUT;
        await anna.startChat(ben.id);
        await anna.say("just us");
        await ben.accept(anna.called);
        await ben.sees("just us");
        await anna.seesOnline();
    },
    "they talk in secret": async (anna, ben) => {
        anna.cellar = `Cellar ${anna.name}`;
        await anna.createRoom({ name: anna.cellar, encrypted: true });
        await anna.invite(ben.id);
        await anna.say("a secret");
        await anna.setUpRecovery();
        await ben.accept(anna.cellar);
        await ben.say("i keep it");
        await anna.open(anna.cellar);
        await anna.sees("i keep it");
    },
    "the server restarts and they go on": async (anna, ben, { hearth }) => {
        await hearth.restart();
        await anna.say("still here");
        await ben.sees("still here");
    },
    "anna logs out, comes back elsewhere and finds everything": async (anna) => {
        // Clients back a key up after a while that they choose by chance, so that not all do it at once.
        await anna.page.waitForTimeout(BACKED_UP_MS);
        await anna.logOut();
        await anna.login();
        await anna.recover();
        await anna.open(anna.cellar);
        for (const text of ["a secret", "i keep it", "still here"]) await anna.sees(text);
        await anna.open(anna.garden);
        await anna.sees("an oak tree");
        await anna.seesPicture();
    },
};

export const alone = {
    "cora registers, creates a secret room and a space": async (cora, { token }) => {
        await cora.register(token);
        await cora.createRoom({ name: "Attic", encrypted: true });
        await cora.say("old letters");
        await cora.setUpRecovery();
        await cora.createSpace("House");
        await cora.sees("House");
    },
    "she answers in a thread": async (cora) => {
        await cora.page.goto(`${cora.site}#/home`);
        await cora.open("Attic");
        await cora.thread("old letters", "from 1901");
        await cora.seesThread();
    },
    "she verifies another session by emoji, which then reads what was said": async (cora, world) => {
        const phone = new cora.constructor(cora.name, cora);
        await phone.login();
        await phone.verifyBy(cora);
        await phone.open("Attic");
        await phone.sees("old letters");
        cora.watches.push(...phone.watches);
        await phone.context.close();
    },
};
