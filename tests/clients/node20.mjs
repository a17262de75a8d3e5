// What matrix-js-sdk wants of Node 22 and Node 20 lacks.

Promise.withResolvers ??= () => {
    const made = {};
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
    return made;
};
