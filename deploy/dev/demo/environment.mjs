// What the demo is told, and how it says that something is amiss.

export const required = (name) => {
  if (!process.env[name]) throw new Failure(`${name} is not set`, './dev demo sets it');
  return process.env[name];
};

// A step that did not come. `look`: what to look at.
export class Failure extends Error {
  constructor(message, look) {
    super(message);
    this.look = look;
  }
}
